import t from 'tap'
import { linesOf } from '../../src/config/lines.js'

t.test('where names stand', async (t) => {
  const lines = linesOf(`# [comment]
top = 1
  [ Server ]  # comment
  port=1
"host" = "a = b"
'tls'. "x y" = 2
[a . b]
c.d = 3
# e = 4

[[list]]
f = 5
[[list]]
f = 6
`)
  t.strictSame(Object.fromEntries(lines), {
    top: [2],
    server: [3],
    'server.port': [4],
    'server.host': [5],
    'server.tls': [6],
    'server.tls.x y': [6],
    a: [7],
    'a.b': [7],
    'a.b.c': [8],
    'a.b.c.d': [8],
    list: [11, 13],
    'list.f': [12, 14],
  })
})

t.test('what looks like a name in a long text is none', async (t) => {
  const lines = linesOf(`a = """
b = 1
[c]
"""
d = '''
e = 2'''
f = """g = 3"""
h = 4
`)
  t.strictSame(Object.fromEntries(lines), { a: [1], d: [5], f: [7], h: [8] })
})

t.test('what looks like a name in an array is none', async (t) => {
  t.strictSame(Object.fromEntries(linesOf('a = [\n  "b = 1",\n  { c = 2 },\n]\nd = 3\n')), { a: [1], d: [5] })
})

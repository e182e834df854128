import t from 'tap'
import { JsonLists } from '../../src/format/json-lists.js'

const limits = { element: 100, rest: 200 }

function take(pieces: string[], names = ['a', 'b']): { lists: Record<string, unknown[]>; rest: unknown } {
  const splitter = new JsonLists(names, limits)
  const lists: Record<string, unknown[]> = {}
  for (const piece of pieces) {
    for (const { list, items } of splitter.push(Buffer.from(piece))) {
      lists[list] = [...(lists[list] ?? []), ...items]
    }
  }
  return { lists, rest: splitter.end() }
}

t.test('elements of any kind, in order, and the rest with empty lists', async (t) => {
  const value = { x: 1, a: [1, 'ü,]', null, [2, [3]], { b: [4], ',': '\\"' }], y: { a: [5] }, b: [true], z: ['a', []] }
  const expected = { lists: { a: value.a, b: value.b }, rest: { ...value, a: [], b: [] } }
  for (const indent of [0, 2]) {
    const text = JSON.stringify(value, null, indent)
    t.same(take([text]), expected)
    t.same(take(text.split(/(?<=[^ü])/)), expected, 'piece by piece')
  }
  t.same(take([JSON.stringify(value)], []), { lists: {}, rest: value })
})

t.test('elements are given as soon as the comma after them was seen', async (t) => {
  const splitter = new JsonLists(['a'], limits)
  t.same(splitter.push(Buffer.from('{"a":[1,2')), [{ list: 'a', items: [1] }])
  t.same(splitter.push(Buffer.from('3')), [])
  t.same(splitter.push(Buffer.from(',4]')), [{ list: 'a', items: [23, 4] }])
  t.same(splitter.push(Buffer.from('}')), [])
  t.same(splitter.end(), { a: [] })
})

t.test('what is too long to be held is refused', async (t) => {
  const long = JSON.stringify('x'.repeat(90))
  t.same(take([`{"a":[${long.slice(0, 50)}`, `${long.slice(50)}]}`]).lists, { a: ['x'.repeat(90)] })
  t.throws(() => take(['{"a":["', 'x'.repeat(60), 'x'.repeat(60)]), {
    name: 'SyntaxError',
    message: /element.* 100 bytes/,
  })
  t.throws(() => take([`{"x":"${'x'.repeat(100)}`, 'x'.repeat(100)]), {
    name: 'SyntaxError',
    message: /200 bytes beside/,
  })
})

t.test('commas, lists and ends where none belong', async (t) => {
  for (const text of [
    '{"a":[,]}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":[1,,2]}',
    '{"a":[ , 1]}',
    '{"a":[1],"a":[2]}',
    '{"a":[}',
    '{"a":[1',
  ]) {
    t.throws(() => take([text]), { name: 'SyntaxError' }, text)
    t.throws(() => take(text.split('')), { name: 'SyntaxError' }, `${text} piece by piece`)
  }
})

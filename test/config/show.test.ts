import t from 'tap'
import { showValue } from '../../src/config/show.js'
import { parseConfig } from '../../src/config/source.js'

t.test('values of a file, as a message shows them', async (t) => {
  const { values } = parseConfig(
    'a = "x\\"y"\nb = 1\nc = nan\nd = true\ne = [1]\nf = { g = "secret" }\nh = 2026-01-01\ni = 2026-01-01T00:00:00Z',
    'arc.toml',
  )
  t.strictSame([...values.values()].map(showValue), [
    '"x\\"y"',
    '1',
    'NaN',
    'true',
    'an array',
    'a table',
    '"2026-01-01"',
    '"2026-01-01T00:00:00Z"',
  ])
})

t.test('nothing that a terminal would obey, and no more than a line', async (t) => {
  t.equal(
    showValue('a\u001b[31mb\u007f\u009b\u202e\u200b\u2028c\n'),
    '"a\\u001b[31mb\\u{7f}\\u{9b}\\u{202e}\\u{200b}\\u{2028}c\\n"',
  )
  t.equal(showValue('x'.repeat(1000)).length, 201)
})

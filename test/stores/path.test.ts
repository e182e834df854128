import t from 'tap'
import { checkPath, quote } from '../../src/stores/path.js'

t.test('paths that name a file of a store', async (t) => {
  for (const path of ['a', 'a/b', '.a', '..a/b..', 'a...b', ' ', 'ü/日', 'a\\b', '-', '~'])
    t.equal(checkPath(path), path)
})

t.test('paths that do not, each with what is wrong', async (t) => {
  const wrong: Record<string, RegExp> = {
    '': /must not be empty/,
    '/': /relative/,
    '/a': /relative/,
    'a/': /empty/,
    'a//b': /empty/,
    '.': /"\." or "\.\."/,
    '..': /"\.\." segments/,
    'a/./b': /segments/,
    'a/..': /segments/,
    'a\0': /NUL/,
    'a\uFFFDb': /not valid UTF-8/,
  }
  for (const [path, message] of Object.entries(wrong))
    t.throws(() => checkPath(path), { code: 'PATH_INVALID', message }, JSON.stringify(path))
})

t.test('quoting keeps messages short and on one line', async (t) => {
  t.equal(quote('a\nb'), '"a\\nb"')
  t.ok(quote('x'.repeat(1000)).length < 320)
})

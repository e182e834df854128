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

t.test('a folder that was found to be sound says nothing of the names in it', async (t) => {
  for (const folder of ['db/m/', 'other/', 'db/m/deep/']) t.equal(checkPath(`${folder}a`), `${folder}a`)
  for (const name of ['', '.', '..', 'a\0', 'a\uFFFD', '/a', '../a', 'a/../b', 'a//b', './a'])
    for (const folder of ['db/m/', 'db/m/deep/', 'other/'])
      t.throws(() => checkPath(folder + name), { code: 'PATH_INVALID' }, JSON.stringify(folder + name))
  for (const path of ['db/m/.hidden', 'db/m/..a', 'db/m/a/b', 'db/mm']) t.equal(checkPath(path), path)
})

t.test('quoting keeps messages short and on one line', async (t) => {
  t.equal(quote('a\nb'), '"a\\nb"')
  t.ok(quote('x'.repeat(1000)).length < 320)
})

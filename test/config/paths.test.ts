import { symlinkSync } from 'node:fs'
import t from 'tap'
import { isFile, isWithin, realPath } from '../../src/config/paths.js'

t.test('links are resolved as far as the path exists', async (t) => {
  const folder = t.testdir({ real: { inside: {} } })
  symlinkSync('real', `${folder}/link`)
  symlinkSync('self', `${folder}/self`)
  t.equal(realPath(`${folder}/link`), `${folder}/real`)
  t.equal(realPath(`${folder}/link/inside`), `${folder}/real/inside`)
  t.equal(realPath(`${folder}/link/not/yet`), `${folder}/real/not/yet`)
  t.equal(realPath(`${folder}/self/x`), `${folder}/self/x`)
  t.equal(realPath('/not-here/at-all'), '/not-here/at-all')
  t.equal(realPath('/'), '/')
})

t.test('within a folder', async (t) => {
  for (const path of ['/a', '/a/b', '/a/..b', '/a/b/c']) t.ok(isWithin(path, '/a'), path)
  for (const path of ['/', '/b', '/ab', '/ab/c']) t.notOk(isWithin(path, '/a'), path)
  t.ok(isWithin('/a', '/'))
})

t.test('regular files', async (t) => {
  const folder = t.testdir({ file: '', folder: {} })
  symlinkSync('file', `${folder}/link`)
  t.strictSame(
    ['file', 'link', 'folder', 'missing', 'file/x'].map((name) => isFile(`${folder}/${name}`)),
    [true, true, false, false, false],
  )
})

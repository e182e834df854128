import { chownSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import t from 'tap'
import { replaceFile } from '../../src/metadata/replace-file.js'

t.test('the new file has its mode and owner before it has its name', async (t) => {
  const folder = t.testdir({ from: 'new', place: { to: 'old' } })
  const to = `${folder}/place/to`
  let seen = {}
  replaceFile({
    from: `${folder}/from`,
    to,
    mode: 0o640,
    owner: { uid: 65534, gid: 65533 },
    beforeRename: () => {
      const { mode, uid, gid } = statSync(`${to}.restore.part`)
      seen = { live: readFileSync(to, 'utf8'), mode: mode & 0o777, uid, gid }
    },
  })
  t.same(seen, { live: 'old', mode: 0o640, uid: 65534, gid: 65533 })
  t.equal(readFileSync(to, 'utf8'), 'new')
  t.same(readdirSync(`${folder}/place`), ['to'])
  t.equal(readFileSync(`${folder}/from`, 'utf8'), 'new', 'it is a copy')
})

t.test('where anything goes wrong the old file is there, and nothing beside it', async (t) => {
  const folder = t.testdir({ from: 'new', place: { to: 'old' } })
  const to = `${folder}/place/to`
  const refuse = (): never => {
    throw new Error('not now')
  }
  t.throws(() => replaceFile({ from: `${folder}/from`, to, mode: 0o600, beforeRename: refuse }), { message: 'not now' })
  t.throws(() => replaceFile({ from: `${folder}/none`, to, mode: 0o600 }), { code: 'ENOENT' })
  t.equal(readFileSync(to, 'utf8'), 'old')
  t.same(readdirSync(`${folder}/place`), ['to'])
})

t.test('a folder that is not there is made, for nobody else', async (t) => {
  const folder = t.testdir({ from: 'new' })
  chownSync(`${folder}/from`, 65534, 65534)
  replaceFile({ from: `${folder}/from`, to: `${folder}/a/b/to`, mode: 0o600 })
  t.ok(existsSync(`${folder}/a/b/to`))
  t.equal(statSync(`${folder}/a`).mode & 0o777, 0o700)
})

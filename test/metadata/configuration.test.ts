import {
  chmodSync,
  chownSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import t from 'tap'
import { restoreConfiguration } from '../../src/metadata/configuration.js'
import { withSmallDisk } from '../support/mount.js'

const text = (path: string) => readFileSync(path, 'utf8')

t.test('mode and owner stay, the old text is kept', async (t) => {
  const dir = t.testdir({ from: 'new', 'arc.toml': 'old' })
  const to = `${dir}/arc.toml`
  chmodSync(to, 0o640)
  chownSync(to, 65534, 65534)
  t.same(await restoreConfiguration({ from: `${dir}/from`, to }), { before: `${to}.before-restore` })
  const { mode, uid, gid } = statSync(to)
  t.same([text(to), mode & 0o777, uid, gid], ['new', 0o640, 65534, 65534])
  t.same([text(`${to}.before-restore`), statSync(`${to}.before-restore`).mode & 0o777], ['old', 0o600])
  t.same(readdirSync(dir).sort(), ['arc.toml', 'arc.toml.before-restore', 'from'])
})

t.test('a new file is private, and its folder is made', async (t) => {
  const dir = t.testdir({ from: 'new' })
  const to = `${dir}/etc/arc.toml`
  t.same(await restoreConfiguration({ from: `${dir}/from`, to }), { before: null })
  t.same([text(to), statSync(to).mode & 0o777], ['new', 0o600])
})

t.test('a link stays a link', async (t) => {
  const dir = t.testdir({ from: 'new', real: { 'arc.toml': 'old' } })
  symlinkSync(`${dir}/real/arc.toml`, `${dir}/arc.toml`)
  await restoreConfiguration({ from: `${dir}/from`, to: `${dir}/arc.toml` })
  t.ok(lstatSync(`${dir}/arc.toml`).isSymbolicLink())
  t.equal(text(`${dir}/real/arc.toml`), 'new')
})

t.test('a failure leaves the file as it was', async (t) => {
  const dir = t.testdir({ disk: {}, from: 'x'.repeat(40_000) })
  await withSmallDisk(`${dir}/disk`, '256k', async () => {
    const to = `${dir}/disk/arc.toml`
    writeFileSync(to, 'o'.repeat(150_000))
    await t.rejects(restoreConfiguration({ from: `${dir}/from`, to }), { code: 'STORE_FULL', message: /arc\.toml/ })
    await t.rejects(restoreConfiguration({ from: `${dir}/none`, to }), { code: 'STORE_NOT_FOUND' })
    t.equal(text(to), 'o'.repeat(150_000))
    t.same(readdirSync(`${dir}/disk`), ['arc.toml'], 'and no part of anything beside it')
  })
})

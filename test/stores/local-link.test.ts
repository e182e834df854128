import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { LocalStore } from '../../src/stores/local.js'
import { mountImage, mountTmpfs } from '../support/mount.js'
import { sha256 } from './contract.js'

const recorded = { size: 7, sha256: sha256('content') }

t.test('a second name, with the folders that it needs', async (t) => {
  const root = t.testdir({ old: { file: 'content' } })
  const store = new LocalStore(root)
  t.same(await store.duplicate('old/file', 'new/deep/file', recorded), {})
  t.equal(statSync(`${root}/new/deep/file`).ino, statSync(`${root}/old/file`).ino)
  t.equal(statSync(`${root}/new/deep`).mode & 0o777, 0o700)
  await t.rejects(store.duplicate('old/file', 'new/deep/file', recorded), { code: 'STORE_EXISTS' })
})

t.test('a file that is not there as recorded has none', async (t) => {
  const root = t.testdir({ old: { file: 'longer content', folder: {} } })
  symlinkSync('file', `${root}/old/link`)
  const store = new LocalStore(root)
  for (const name of ['file', 'folder', 'link', 'gone'])
    t.equal(await store.duplicate(`old/${name}`, 'new', recorded), undefined, name)
})

t.test('what the system refuses to link is to be copied', async (t) => {
  const root = mountImage(t, 'ext4', 64)
  const store = new LocalStore(root)
  mkdirSync(`${root}/links`)

  t.test('EMLINK', async (t) => {
    writeFileSync(`${root}/file`, 'content')
    // ext4 allows a file 65,000 names.
    for (let names = 1; names < 65_000; names += 1) linkSync(`${root}/file`, `${root}/links/${names}`)
    t.throws(() => linkSync(`${root}/file`, `${root}/one-more`), { code: 'EMLINK' })
    t.equal(await store.duplicate('file', 'one-more', recorded), undefined)
  })

  t.test('EXDEV', async (t) => {
    const elsewhere = mountTmpfs(t, '1m')
    mkdirSync(`${root}/elsewhere`)
    execFileSync('mount', ['--bind', elsewhere, `${root}/elsewhere`])
    try {
      t.throws(() => linkSync(`${root}/file`, `${root}/elsewhere/file`), { code: 'EXDEV' })
      t.equal(await store.duplicate('file', 'elsewhere/file', recorded), undefined)
    } finally {
      execFileSync('umount', [`${root}/elsewhere`])
    }
  })

  t.test('EPERM', async (t) => {
    writeFileSync(`${root}/unchangeable`, 'content')
    execFileSync('chattr', ['+i', `${root}/unchangeable`])
    t.throws(() => linkSync(`${root}/unchangeable`, `${root}/second`), { code: 'EPERM' })
    t.equal(await store.duplicate('unchangeable', 'second', recorded), undefined)
    t.equal(readFileSync(`${root}/unchangeable`, 'utf8'), 'content')
  })
})

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { LocalStore } from '../../src/stores/local.js'
import { openStore } from '../../src/stores/open.js'
import { mountTmpfs } from '../support/mount.js'
import { asNobody } from '../support/nobody.js'
import { list, put, testStore } from './contract.js'

testStore(t, async (t) => {
  const root = `${t.testdir({})}/root`
  mkdirSync(root)
  const store = await openStore({ kind: 'local', root })
  return {
    store,
    readBack: async (path) => {
      try {
        return readFileSync(`${root}/${path}`)
      } catch {
        return null
      }
    },
    names: async () =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length + 1)),
  }
})

t.test('new folders are 0700, new files 0600, whatever the umask', async (t) => {
  const root = `${t.testdir({})}/root`
  const store = new LocalStore(root)
  await put(store, 'a/b/c', 'x')
  for (const path of ['', '/a', '/a/b']) t.equal(statSync(root + path).mode & 0o777, 0o700)
  t.equal(statSync(`${root}/a/b/c`).mode & 0o777, 0o600)
})

t.test('links, pipes and devices are no files', async (t) => {
  const root = t.testdir({ real: 'x' })
  symlinkSync('real', `${root}/link`)
  symlinkSync('/', `${root}/folder-link`)
  execFileSync('mkfifo', [`${root}/pipe`])
  const store = new LocalStore(root)
  t.same(
    (await list(store, '')).map(({ path }) => path),
    ['real'],
  )
  for (const path of ['link', 'pipe']) {
    await t.rejects(store.stat(path), { code: 'PATH_UNSAFE' })
    await t.rejects(store.read(path), { code: 'PATH_UNSAFE' })
  }
  await t.rejects(store.inspectFolder('folder-link/'), { code: 'PATH_UNSAFE' })
  await t.rejects(store.inspectFolder('real/'), { code: 'PATH_UNSAFE' })
  await store.inspectFolder('not/yet/there/')
  await store.inspectFolder('')
})

t.test('renaming replaces in one step', async (t) => {
  const root = t.testdir({ a: 'new', b: 'old' })
  const store = new LocalStore(root)
  await store.rename('a', 'b')
  t.same(readdirSync(root), ['b'])
  t.equal(readFileSync(`${root}/b`, 'utf8'), 'new')
  await t.rejects(store.rename('a', 'b'), { code: 'STORE_NOT_FOUND', message: /cannot rename "a" at/ })
})

t.test('what the system refuses has a code and says why', async (t) => {
  const small = mountTmpfs(t, '64k')
  await t.rejects(put(new LocalStore(small), 'big', 'x'.repeat(200_000)), {
    code: 'STORE_FULL',
    message: /no space left/,
  })
  t.same(readdirSync(small), [])
  const root = t.testdir({ file: 'x' })
  const store = new LocalStore(root)
  await t.rejects(put(store, 'file/below', 'x'), { code: 'PATH_INVALID' }, 'a file stands where a folder should')
  await t.rejects(put(store, 'n'.repeat(300), 'x'), { code: 'PATH_INVALID' })
  writeFileSync(`${root}/secret`, 'x', { mode: 0o600 })
  await asNobody(async () => {
    await t.rejects(store.read('secret'), {
      code: 'STORE_DENIED',
      message: /cannot read "secret" at .*permission denied/,
    })
    await t.rejects(put(store, 'mine', 'x'), { code: 'STORE_DENIED' })
    await t.rejects(store.remove(['secret']), { code: 'STORE_DENIED' })
  })
  await t.rejects(new LocalStore('/proc/nowhere').sync(), { code: 'INTERNAL' })
  t.ok((await new LocalStore(`${root}/not/yet`).space()).bytes > 0, 'room is that of the nearest folder that exists')
})

t.test('a write tells what it wrote, also where somebody removes it at once', async (t) => {
  const root = t.testdir({})
  const store = new LocalStore(root)
  let [over, removed] = [false, 0]
  const remover = (async () => {
    while (!over) {
      try {
        unlinkSync(`${root}/pin`)
        removed += 1
      } catch {
        // Not yet there again.
      }
      await new Promise(setImmediate)
    }
  })()
  try {
    for (let turn = 0; turn < 50; turn += 1) t.match(await put(store, 'pin', 'text'), { path: 'pin', size: 4 })
  } finally {
    over = true
    await remover
  }
  t.ok(removed > 0)
})

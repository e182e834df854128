import t from 'tap'
import { allocated, checkSpace } from '../../src/engine/space.js'
import { LocalStore } from '../../src/stores/local.js'
import { mountTmpfs } from '../support/mount.js'

t.test('room is handed out in blocks', async (t) => {
  t.same([0, 1, 4096, 4097, 2 ** 40 + 1].map(allocated), [0, 4096, 4096, 8192, 2 ** 40 + 4096])
})

t.test('bytes and files have to find room', async (t) => {
  const store = new LocalStore(mountTmpfs(t, '1m,nr_inodes=20'))
  const free = await store.space()
  await checkSpace(store, { bytes: free.bytes, files: free.files })
  await t.rejects(checkSpace(store, { bytes: free.bytes + 1, files: 1 }), {
    code: 'STORE_FULL',
    message: `not enough space at ${store.url}: ${free.bytes + 1} bytes in 1 files are needed, ${free.bytes} bytes and ${free.files} files are free`,
    detail: { verb: 'write', needed: free.bytes + 1, free: free.bytes },
  })
  await t.rejects(checkSpace(store, { bytes: 0, files: free.files + 1 }, '; a hint'), { message: /; a hint$/ })
})

t.test('a store without a limit has room for everything', async () => {
  const store = new LocalStore('/')
  Object.defineProperty(store, 'space', { value: undefined })
  await checkSpace(store, { bytes: 2 ** 60, files: 2 ** 40 })
})

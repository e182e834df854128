import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openStore } from '../../src/stores/open.js'
import { retry } from '../../src/stores/retry.js'
import { smallFile } from '../../src/stores/store.js'
import { everyName, readObject } from '../servers/bucket.js'
import { startMinio } from '../servers/minio.js'
import { type Plan, startProxy } from '../servers/proxy.js'
import { collect, list, put } from './contract.js'

t.setTimeout(900_000)
const minio = await startMinio(t)
const patience = { retryTimeoutMs: 3_000, stallTimeoutMs: 5_000 }
const size = 4 * smallFile + 321
const content = randomBytes(size)

/** A store behind a proxy, and one that looks at the same bucket without it. */
async function behind(t: Parameters<typeof startProxy>[0], plan: Plan, own: Partial<typeof patience> = {}) {
  const config = { ...(await minio.bucket()), ...patience, ...own }
  const proxy = await startProxy(t, minio.port, plan)
  const store = await openStore({ ...config, endpoint: proxy.url })
  const direct = await openStore(config)
  t.teardown(async () => {
    await store.close()
    await direct.close()
  })
  return { config, proxy, store, direct }
}

t.test('a connection cut in the middle of a part: only this part goes again', async (t) => {
  const { config, store, proxy } = await behind(t, { cutAfterSent: 3 << 20, cuts: 1 })
  let reads = 0
  const source = function* (): Generator<Buffer> {
    reads += 1
    yield content
  }
  await store.write('cut', Readable.from(source()), { size })
  t.ok((await readObject(minio, config, 'cut'))?.equals(content))
  t.equal(reads, 1)
  t.same([proxy.requests.length, proxy.plan.cuts], [8, 0], 'an upload, five parts, one of them twice, its end')
  t.same(await everyName(minio, config), ['cut'])
})

t.test('a bit that flips on its way is refused by the service, and sent again', async (t) => {
  const { config, store, proxy } = await behind(t, { damageAfterSent: 2 << 20 })
  await store.write('flipped', Readable.from([content]), { size })
  t.equal(proxy.plan.damageAfterSent, undefined)
  t.ok((await readObject(minio, config, 'flipped'))?.equals(content))
  t.equal(proxy.requests.length, 8, 'an upload, five parts, one of them twice, its end')
  proxy.plan.damageAfterSent = 2 << 20
  const small = content.subarray(0, 6 << 20)
  await retry(async () => store.writeSmall?.('small', small), { timeoutMs: 3000 })
  t.equal(proxy.plan.damageAfterSent, undefined)
  t.ok((await readObject(minio, config, 'small'))?.equals(small))
})

t.test('cut again and again: it ends, says what was wrong, and leaves nothing', async (t) => {
  const { config, store } = await behind(t, { cutAfterSent: 1 << 20 }, { retryTimeoutMs: 300 })
  const expected = { code: 'STORE_UNREACHABLE', message: /cannot write "cut" at s3:.*the connection was cut/ }
  await t.rejects(store.write('cut', Readable.from([content]), { size }), expected)
  await t.rejects(store.write('cut', Readable.from([content.subarray(0, 3 << 20)]), { size: 3 << 20 }), expected)
  t.same(await everyName(minio, config), [])
})

t.test('a stall while bytes go up', async (t) => {
  const brief = { retryTimeoutMs: 300, stallTimeoutMs: 400 }
  const { config, store, proxy } = await behind(t, { stallAfterSent: 1 << 20 }, brief)
  const expected = { code: 'STORE_TIMEOUT', message: /no byte moved for 0\.4 s at http/ }
  await t.rejects(store.write('stall', Readable.from([content]), { size }), expected)
  await t.rejects(async () => void (await store.writeSmall?.('stall', content.subarray(0, 3 << 20))), expected)
  delete proxy.plan.stallAfterSent
  t.same(await everyName(minio, config), [])
})

t.test('a slow way up is no stall', async (t) => {
  const { config, store } = await behind(t, { bytesPerSecond: 4 << 20 }, { stallTimeoutMs: 2500 })
  // Four seconds without an answer, though some of them while the last bytes are in the kernel's hands.
  await store.writeSmall?.('slow', content.subarray(0, 2 * smallFile))
  t.ok((await readObject(minio, config, 'slow'))?.equals(content.subarray(0, 2 * smallFile)))
})

t.test('reading: cut, stalled', async (t) => {
  const { store, direct, proxy } = await behind(t, {}, { stallTimeoutMs: 1500 })
  await direct.write('read', Readable.from([content]), { size })
  await direct.writeSmall?.('small', content.subarray(0, 2 << 20))
  Object.assign(proxy.plan, { cutAfterReceived: 1 << 20 })
  const cut = { code: 'STORE_UNREACHABLE', message: /cannot read "(read|small)" at s3:.*the connection was cut/ }
  await t.rejects(collect(await store.read('read')), cut)
  await t.rejects(async () => void (await store.readSmall?.('small')), cut)
  delete proxy.plan.cutAfterReceived
  Object.assign(proxy.plan, { stallAfterReceived: 1 << 20 })
  const stalled = { code: 'STORE_TIMEOUT', message: /no byte moved for 1\.5 s/ }
  await t.rejects(collect(await store.read('read')), stalled)
  await t.rejects(async () => void (await store.readSmall?.('small')), stalled)
})

t.test('a reader that takes its time is no stall, and one that goes away ends the connection', async (t) => {
  const { store } = await behind(t, {}, { stallTimeoutMs: 1500 })
  await store.write('slow', Readable.from([content]), { size })
  let read = 0
  let pauses = 0
  for await (const chunk of await store.read('slow')) {
    read += (chunk as Buffer).length
    if (read > (pauses + 1) * (10 << 20)) {
      pauses += 1
      await sleep(2000)
    }
  }
  t.same([read, pauses], [size, 3])
  const stream = await store.read('slow')
  stream.destroy()
  t.ok((await collect(await store.read('slow'))).equals(content), 'another connection is taken')
})

t.test('503 on every third request: all that can be sent twice gets through', async (t) => {
  const { config, store } = await behind(t, { unavailableEvery: 3 })
  for (let round = 0; round < 3; round += 1) {
    await store.write(`large/${round}`, Readable.from([content]), { size })
    t.equal((await store.stat(`large/${round}`)).size, size)
  }
  t.equal((await list(store, 'large')).length, 3)
  t.ok((await readObject(minio, config, 'large/2'))?.equals(content))
  await store.remove(['large/'])
  t.same(await everyName(minio, config), [])
})

t.test("what is read or written as a whole is its caller's to try again, as long as the store asks for", async (t) => {
  const { store } = await behind(t, { unavailableEvery: 2, retryAfter: 3 })
  await put(store, 'one', 'x')
  await t.rejects(put(store, 'two', 'x'), { code: 'THROTTLED', detail: { retryAfterMs: 3000 } })
  const started = Date.now()
  let tries = 0
  const twice = async (): Promise<void> => {
    tries += 1
    await put(store, 'three', 'x')
    await put(store, 'four', 'x')
  }
  await t.rejects(retry(twice, { timeoutMs: 5500 }), { code: 'THROTTLED' })
  t.equal(tries, 2)
  t.ok(Date.now() - started > 2990)
})

t.test('an answer that is lost: the upload was put together all the same', async (t) => {
  const { config, store } = await behind(t, { loseAnswerTo: '/lost?uploadId=' })
  const written = await store.write('lost', Readable.from([content]), { size })
  t.equal(written.etag, (await store.stat('lost')).etag)
  t.ok((await readObject(minio, config, 'lost'))?.equals(content))
})

t.test('a server that is killed and comes back is waited for; a table of its names too', async (t) => {
  const { store, config } = await behind(t, {}, { retryTimeoutMs: 30_000 })
  await put(store, 'before', 'x')
  await minio.kill()
  await t.rejects(put(store, 'during', 'x'), { code: 'STORE_UNREACHABLE' })
  const [found, names] = [store.stat('before'), list(store, '')]
  await sleep(500)
  await minio.start()
  t.equal((await found).size, 1)
  t.same(
    (await names).map(({ path }) => path),
    ['before'],
  )
  t.same(await everyName(minio, config), ['before'])
})

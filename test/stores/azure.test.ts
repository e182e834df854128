import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BlobItem, type ContainerClient, ContainerSASPermissions } from '@azure/storage-blob'
import t, { type Test } from 'tap'
import { isServiceError, ServiceError } from '../../src/errors.js'
import { type AzureStoreConfig, openStore } from '../../src/stores/open.js'
import type { Store } from '../../src/stores/store.js'
import { Azurite } from '../servers/azurite.js'
import { startProxy } from '../servers/proxy.js'
import { collect, list, put, sha256, testStore } from './contract.js'

const server = await Azurite.start(t)
const block = 8 << 20

testStore(t, async () => {
  const { container, store } = await open({ prefix: 'root/' })
  // What lies beside the prefix is somebody else's and stays.
  await container.getBlockBlobClient('root-other').upload('x', 1)
  return {
    store,
    readBack: (path) => readBack(container, `root/${path}`),
    names: async () =>
      (await blobs(container)).flatMap(({ name }) => (name.startsWith('root/') ? [name.slice(5)] : [])),
  }
})

t.test('around one block and beyond: what is there is what was given, in as many blocks as it needs', async (t) => {
  const { container, store } = await open()
  for (const [size, blocks] of [
    [block - 1, 0],
    [block, 0],
    [block + 1, 2],
    [2 * block, 2],
    [2 * block + 1, 3],
    [5 * block + 4711, 6],
  ] as const) {
    const content = randomBytes(size)
    const written = await store.write('a b/ü', pieces(content), { size, sha256AtEnd: () => sha256(content) })
    const blob = container.getBlockBlobClient('a b/ü')
    t.equal(sha256(await blob.downloadToBuffer()), sha256(content), `${size} bytes`)
    const { committedBlocks = [] } = await blob.getBlockList('committed')
    t.equal(committedBlocks.length, blocks)
    const { metadata, etag, contentLength } = await blob.getProperties()
    t.same([written.size, written.etag, metadata?.sha256], [contentLength, etag, sha256(content)])
    t.ok(
      (await collect(await store.read('a b/ü', { version: etag ?? '', start: size - 3 }))).equals(content.subarray(-3)),
    )
  }
})

t.test('a bit that flips on its way is refused by the service, and sent again', async (t) => {
  const proxy = await startProxy(t, server.port)
  const { container, store } = await open({ endpoint: `${proxy.url}/${server.account}` })
  for (const size of [6 << 20, 3 * block]) {
    proxy.plan.damageAfterSent = 2 << 20
    const content = randomBytes(size)
    await store.write('flipped', pieces(content), { size })
    t.equal(proxy.plan.damageAfterSent, undefined)
    t.ok((await readBack(container, 'flipped'))?.equals(content), `${size} bytes`)
  }
})

t.test('a size that is no more than a hint: the source decides', async (t) => {
  const { container, store } = await open()
  const content = randomBytes(block + 17)
  for (const size of [0, 5, block + 17, 3 * block]) {
    t.equal((await store.write('x', pieces(content), { size })).size, content.length)
    t.ok((await readBack(container, 'x'))?.equals(content), `${size} announced`)
  }
})

t.test('a slow server and many blocks that differ: no buffer is filled again before its block is there', async (t) => {
  const { container, store } = await open()
  const content = randomBytes(12 * block + 1)
  const slow = slowDown(t)
  await store.write('slow', pieces(content), { size: content.length })
  slow.end()
  t.equal(sha256(await container.getBlobClient('slow').downloadToBuffer()), sha256(content))
})

t.test('a source that fails in the middle of the blocks leaves what was there', async (t) => {
  const { container, store } = await open()
  await put(store, 'old', 'still here')
  for (const path of ['old', 'new']) {
    const source = pieces(randomBytes(3 * block), new ServiceError('STORE_IO', 'the source broke'))
    await t.rejects(store.write(path, source, { size: 4 * block }), { message: 'the source broke' })
    t.ok(source.destroyed)
  }
  t.equal(String(await readBack(container, 'old')), 'still here')
  t.equal(await readBack(container, 'new'), null)
  const content = randomBytes(block + 1)
  await store.write('new', pieces(content), { size: content.length })
  t.ok((await readBack(container, 'new'))?.equals(content), 'blocks left by the first try are not in the way')
})

t.test('several writers of one large blob: one of them wins whole', async (t) => {
  const { container, store } = await open()
  const contents = Array.from({ length: 4 }, () => randomBytes(2 * block + 5))
  const write = (ifAbsent: boolean, path: string) =>
    Promise.allSettled(
      contents.map((content) =>
        store.write(path, pieces(content), { size: content.length, ...(ifAbsent && { ifAbsent }) }),
      ),
    )
  for (const ifAbsent of [true, false]) {
    const results = await write(ifAbsent, `${ifAbsent}`)
    const won = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
    const there = await readBack(container, `${ifAbsent}`)
    t.ok(won.some((index) => there?.equals(contents[index] as Buffer)))
    if (ifAbsent) t.equal(won.length, 1)
    for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'STORE_EXISTS' })
  }
})

t.test('whole small files', async (t) => {
  const { container, store } = await open()
  const bytes = randomBytes(1 << 20)
  const written = await store.writeSmall?.('s', bytes, { sha256: sha256(bytes) })
  t.equal((await container.getBlobClient('s').getProperties()).metadata?.sha256, sha256(bytes))
  const read = await store.readSmall?.('s', { version: written?.etag ?? '' })
  t.ok(read?.bytes.equals(bytes))
  t.same([read?.etag, read?.mtimeNs], [written?.etag, written?.mtimeNs])
  t.same((await store.readSmall?.('empty').catch(({ code }) => code)) as unknown, 'STORE_NOT_FOUND')
  await store.writeSmall?.('empty', Buffer.alloc(0))
  t.equal((await store.readSmall?.('empty'))?.bytes.length, 0)
  await t.rejects(async () => store.writeSmall?.('s', bytes, { ifAbsent: true }), { code: 'STORE_EXISTS' })
  await store.write('grown', pieces(randomBytes(block + 1)), { size: block + 1 })
  await t.rejects(async () => store.readSmall?.('grown'), { code: 'SOURCE_CHANGED', message: /grown beyond/ })
})

t.test('a blob deleted or overwritten since it was listed', async (t) => {
  const { container, store } = await open()
  for (const path of ['gone', 'other']) await put(store, path, 'one')
  const listed = new Map((await list(store, '')).map(({ path, etag = '' }) => [path, { version: etag }]))
  for (const path of listed.keys()) t.equal(String((await store.readSmall?.(path, listed.get(path)))?.bytes), 'one')
  await container.getBlobClient('gone').delete()
  await container.getBlockBlobClient('other').upload('two', 3)
  for (const read of [store.read.bind(store), store.readSmall?.bind(store)]) {
    await t.rejects(async () => read?.('gone', listed.get('gone')), {
      code: 'STORE_NOT_FOUND',
      message: /"gone" at azure:/,
    })
    await t.rejects(async () => read?.('other', listed.get('other')), {
      code: 'SOURCE_CHANGED',
      detail: { verb: 'read' },
    })
  }
  await t.rejects(store.read('other', { start: 4 }), { code: 'SOURCE_CHANGED' })
})

t.test('a connection string may leave out what Arc takes for granted', async (t) => {
  const { container, store } = await open()
  await put(store, 'a', 'x')
  const { connectionString, account } = server
  for (const given of [connectionString, connectionString.replace('DefaultEndpointsProtocol=http;', '')]) {
    const credential = { kind: 'connection-string', connectionString: given } as const
    const same = await openStore(server.config(container.containerName, { credential }))
    t.teardown(() => same.close())
    t.equal((await collect(await same.read('a'))).toString(), 'x')
  }
  const short = `AccountName=${account};AccountKey=a2V5`
  const credential = { kind: 'connection-string', connectionString: short } as const
  const own = await openStore(server.config('arc', { credential }))
  t.teardown(() => own.close())
  t.equal(own.url, `azure://${account}/arc`)
})

t.test('what Azure refuses has a code, a hint, and no secret', async (t) => {
  const { container, store } = await open()
  await put(store, 'a', 'x')
  const sas = async (permissions: string, hours: number): Promise<AzureStoreConfig['credential']> => {
    const url = await container.generateSasUrl({
      permissions: ContainerSASPermissions.parse(permissions),
      startsOn: new Date(Date.now() - 7_200_000),
      expiresOn: new Date(Date.now() + hours * 3_600_000),
    })
    return { kind: 'sas', account: server.account, sasToken: new URL(url).search }
  }
  const wrong = Buffer.from('a wrong key').toString('base64')
  const { account, endpoint } = server
  const cases: [string, Partial<AzureStoreConfig>, Record<'read' | 'write', string>, RegExp][] = [
    [
      'a wrong key',
      { credential: { kind: 'account-key', account, accountKey: wrong } },
      { read: 'STORE_AUTH', write: 'STORE_AUTH' },
      /check the key or SAS token/,
    ],
    [
      'a SAS that has expired',
      { credential: await sas('rwdl', -1) },
      { read: 'STORE_AUTH', write: 'STORE_AUTH' },
      /expired \(20..-/,
    ],
    [
      'a SAS for reading',
      { credential: await sas('rl', 1) },
      { read: '', write: 'READ_ONLY' },
      /rights to create, write and delete/,
    ],
    [
      'a SAS for writing',
      { credential: await sas('cwd', 1) },
      { read: 'STORE_DENIED', write: '' },
      /reading and listing are needed/,
    ],
    [
      'a container that is not there',
      { container: 'nowhere' },
      { read: 'BUCKET_NOT_FOUND', write: 'BUCKET_NOT_FOUND' },
      /create it, or correct its name/,
    ],
    [
      'a port where nobody listens',
      { endpoint: 'http://127.0.0.1:1/devstoreaccount1', retryTimeoutMs: 0 },
      { read: 'STORE_UNREACHABLE', write: 'STORE_UNREACHABLE' },
      /check the endpoint/,
    ],
    [
      'no TLS there',
      { endpoint: endpoint.replace('http', 'https') },
      { read: 'TLS', write: 'TLS' },
      /NODE_EXTRA_CA_CERTS/,
    ],
  ]
  for (const [name, config, codes, hint] of cases) {
    const store = await openStore(server.config(container.containerName, config))
    for (const [verb, action] of actions(store)) {
      const expected = codes[verb]
      const failure = await action().then(
        () => undefined,
        (error: unknown) => error,
      )
      if (expected === '') {
        t.equal(failure, undefined, `${name}: ${verb}`)
        continue
      }
      if (!isServiceError(failure)) throw failure
      t.equal(failure.code, expected, `${name}: ${verb}`)
      t.match(failure.message, hint)
      const shown = JSON.stringify([failure, failure.message, failure.stack, failure.detail, store.url, failure.cause])
      for (const secret of [server.accountKey, wrong, 'sig=', 'SharedKey']) t.notOk(shown.includes(secret))
    }
  }
})

t.test('blobs that somebody holds fast', async (t) => {
  const { container, store } = await open()
  for (const path of ['leased', 'snapped', 'cold']) await put(store, path, 'x')
  await container.getBlobClient('leased').getBlobLeaseClient().acquireLease(-1)
  await container.getBlobClient('snapped').createSnapshot()
  await container.getBlobClient('cold').setAccessTier('Archive')
  await t.rejects(put(store, 'leased', 'y'), { code: 'OBJECT_LOCKED' })
  await t.rejects(store.remove(['leased']), { code: 'OBJECT_LOCKED', message: /cannot remove "leased" at .*lease/ })
  await t.rejects(store.remove(['snapped']), { code: 'OBJECT_LOCKED', message: /snapshots/ })
  await t.rejects(store.read('cold'), { code: 'ARCHIVED', message: /rehydrate/ })
})

t.test('a server that stands still is given up, before an answer and in the middle of one', async (t) => {
  const { container, store } = await open({ stallTimeoutMs: 1000, retryTimeoutMs: 0 })
  const size = 3 * block
  await container.getBlockBlobClient('big').uploadData(randomBytes(size))
  const stream = await store.read('big')
  await once(stream, 'readable')
  freeze(t)
  const broken = t.rejects(collect(stream), {
    code: 'STORE_TIMEOUT',
    message: /cannot read "big" at .*no byte (?:came|moved) for 1 s/,
  })
  await t.rejects(store.stat('big'), { code: 'STORE_TIMEOUT' })
  await t.rejects(async () => store.writeSmall?.('big', randomBytes(block)), { code: 'STORE_TIMEOUT' })
  await t.rejects(list(store, ''), { code: 'STORE_TIMEOUT' })
  await t.rejects(store.remove(['big']), { code: 'STORE_TIMEOUT' })
  await broken
})

t.test('a consumer may stand still for longer', async (t) => {
  const { container, store } = await open({ stallTimeoutMs: 1000, retryTimeoutMs: 0 })
  const size = 3 * block
  await container.getBlockBlobClient('big').uploadData(randomBytes(size))
  const stream = await store.read('big')
  await once(stream, 'readable')
  await sleep(3000)
  t.equal((await collect(stream)).length, size)
})

t.test('a server that dies and comes back: an answer is cut, the next requests wait for it', async (t) => {
  const server = await Azurite.start(t, t.testdir({}))
  const container = await server.container()
  const store = await openStore(server.config(container.containerName, { retryTimeoutMs: 20_000 }))
  const content = randomBytes(4 * block)
  await store.write('big', pieces(content), { size: content.length })
  const [read, unread] = [await store.read('big'), await store.read('big')]
  await once(read, 'readable')
  await server.stop()
  await t.rejects(collect(read), { code: 'STORE_UNREACHABLE', detail: { verb: 'read' } })
  await t.rejects(collect(unread), { code: 'STORE_UNREACHABLE' }, 'no byte of it was asked for when it was cut')
  const written = store.write('after', pieces(content), { size: content.length })
  const removed = store.remove(['never'])
  await sleep(500)
  await server.start()
  await Promise.all([written, removed])
  t.equal(sha256(await container.getBlobClient('after').downloadToBuffer()), sha256(content))
  const brief = await openStore(server.config(container.containerName, { retryTimeoutMs: 300 }))
  await server.kill()
  await t.rejects(brief.stat('big'), { code: 'STORE_UNREACHABLE' })
})

t.test('a stream that is given up takes its connection with it', async (t) => {
  const { store } = await open()
  await store.write('big', pieces(randomBytes(2 * block)), { size: 2 * block })
  for (const reads of [false, true]) {
    const stream = await store.read('big')
    if (reads) await once(stream, 'readable')
    stream.destroy()
    await once(stream, 'close')
  }
  for (let wait = 0; wait < 100 && sockets() > 0; wait += 1) await sleep(100)
  t.equal(sockets(), 0)
})

async function open(config: Partial<AzureStoreConfig> = {}): Promise<{ container: ContainerClient; store: Store }> {
  const container = await server.container()
  return { container, store: await openStore(server.config(container.containerName, config)) }
}

function actions(store: Store): ['read' | 'write', () => Promise<unknown>][] {
  return [
    ['read', async () => (await store.read('a')).destroy()],
    ['read', async () => store.readSmall?.('a')],
    ['read', async () => store.stat('a')],
    ['read', async () => list(store, '')],
    ['write', async () => put(store, 'b', 'x')],
    ['write', async () => store.writeSmall?.('b', Buffer.from('x'))],
    ['write', async () => store.write('b', pieces(Buffer.alloc(block + 1)), { size: block + 1 })],
    ['write', async () => store.remove(['b'])],
  ]
}

/** In pieces that fit no block. */
function pieces(content: Buffer, error?: Error): Readable {
  return Readable.from(
    (function* () {
      for (let start = 0; start < content.length; start += 300_001) yield content.subarray(start, start + 300_001)
      if (error) throw error
    })(),
  )
}

/** As the plain SDK reads it; null where there is nothing. */
async function readBack(container: ContainerClient, name: string): Promise<Buffer | null> {
  const blob = container.getBlobClient(name)
  return (await blob.exists()) ? blob.downloadToBuffer() : null
}

/** Those too of which nothing but blocks is there yet. */
async function blobs(container: ContainerClient): Promise<BlobItem[]> {
  const found: BlobItem[] = []
  // Blocks that were never committed are the service's to drop; nobody can remove them.
  for await (const blob of container.listBlobsFlat()) found.push(blob)
  return found
}

function freeze(t: Test): void {
  const { pid = 0 } = server
  process.kill(pid, 'SIGSTOP')
  t.teardown(() => process.kill(pid, 'SIGCONT'))
}

/** The server stands still most of the time. */
function slowDown(t: Test): { end(): void } {
  const { pid = 0 } = server
  let stopped = false
  const timer = setInterval(() => {
    stopped = !stopped
    process.kill(pid, stopped ? 'SIGSTOP' : 'SIGCONT')
  }, 40)
  const end = (): void => {
    clearInterval(timer)
    process.kill(pid, 'SIGCONT')
  }
  t.teardown(end)
  return { end }
}

/** Connections of this process in the middle of an answer. */
function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

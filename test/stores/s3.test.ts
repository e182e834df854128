import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectLockConfigurationCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import t from 'tap'
import { openStore } from '../../src/stores/open.js'
import { largestFile, partSize } from '../../src/stores/s3-upload.js'
import { smallFile, type Upload } from '../../src/stores/store.js'
import { everyName, readObject } from '../servers/bucket.js'
import { startMinio } from '../servers/minio.js'
import { startProxy } from '../servers/proxy.js'
import { list, put, sha256, testStore } from './contract.js'

// Building MinIO takes minutes where it is not there yet.
t.setTimeout(900_000)
const minio = await startMinio(t)

testStore(t, async () => {
  const config = await minio.bucket()
  return {
    store: await openStore(config),
    readBack: (path) => readObject(minio, config, path),
    names: () => everyName(minio, config),
  }
})

t.test('bytes that are not those of the signed hash are refused by the service', async (t) => {
  const config = await minio.bucket()
  const store = await openStore(config)
  const wrong = { sha256: sha256('something else') }
  await t.rejects(async () => void (await store.writeSmall?.('damaged', Buffer.from('x'), wrong)), {
    message: /damaged on their way/,
  })
  t.same(await everyName(minio, config), [])
  await store.close()
})

t.test(
  'an upload in parts: on record before its first part, removed when it fails or when it is asked for',
  async (t) => {
    const config = await minio.bucket({})
    const store = await openStore(config)
    const size = 3 * smallFile + 5
    const kept: Upload[] = []
    await store.write('a', Readable.from(blocks(size)), {
      size,
      onUpload: async (upload) => {
        await sleep(5)
        kept.push(upload)
        t.equal(minio.uploads().length, 1, 'the upload exists')
      },
    })
    t.match(kept, [{ path: 'a', uploadId: /./ }])
    t.same(minio.uploads(), [])
    const refused = new Error('no record can be kept')
    const write = store.write('b', Readable.from(blocks(size)), { size, onUpload: () => Promise.reject(refused) })
    await t.rejects(write, refused)
    t.same(await everyName(minio, config), ['a'], 'no part was sent')

    const { client } = minio
    const { UploadId = '' } = await client.send(
      new CreateMultipartUploadCommand({ Bucket: config.bucket, Key: 'leak' }),
    )
    const part = { Bucket: config.bucket, Key: 'leak', UploadId, PartNumber: 1, Body: 'x' }
    await client.send(new UploadPartCommand(part))
    t.match(await everyName(minio, config), ['a', /^an open upload/], 'a leak would be seen')
    await store.abortUpload?.({ path: 'leak', uploadId: UploadId })
    t.same(await everyName(minio, config), ['a'])
    await store.abortUpload?.({ path: 'leak', uploadId: UploadId })

    const before: string[] = []
    const beforeUpload = (path: string): void => {
      before.push(path)
      t.same(minio.uploads(), [], 'it has not begun')
    }
    await store.write('c', Readable.from(blocks(size)), { size, beforeUpload })
    t.same(before, ['c'])
    for (const Key of ['died', 'died', 'died/not']) {
      await client.send(new CreateMultipartUploadCommand({ Bucket: config.bucket, Key }))
    }
    await store.abortUpload?.({ path: 'died', uploadId: '' })
    t.equal(minio.uploads().length, 1, 'every upload to this very path is removed, and no other')
    await store.abortUpload?.({ path: 'died/not', uploadId: '' })
    t.same(minio.uploads(), [])
    await store.close()
  },
)

t.test('a slow server, four parts on their way, few buffers: every part arrives as it was', async (t) => {
  const config = await minio.bucket()
  const proxy = await startProxy(t, minio.port, { latencyMs: 2 })
  const store = await openStore({ ...config, endpoint: proxy.url })
  const size = 12 * smallFile + 77
  const hash = createHash('sha256')
  await store.write('slow', Readable.from(blocks(size, (block) => hash.update(block))), { size })
  t.equal(sha256((await readObject(minio, config, 'slow')) ?? ''), hash.digest('hex'))
  t.equal(proxy.requests.filter((request) => request.startsWith('PUT')).length, 13)
  await store.close()
})

t.test('part sizes grow with the file; one too large fails before anything is sent', async (t) => {
  t.equal(partSize(smallFile + 1, 'x', 's3://b'), 8 << 20)
  t.equal(partSize(80 * 2 ** 30, 'x', 's3://b'), 9 << 20)
  t.equal(partSize(largestFile, 'x', 's3://b'), 64 << 20)
  const config = await minio.bucket()
  const proxy = await startProxy(t, minio.port)
  const store = await openStore({ ...config, endpoint: proxy.url })
  const source = Readable.from(blocks(100))
  await t.rejects(store.write('huge', source, { size: largestFile + 1 }), {
    code: 'STORE_FULL',
    message: /cannot write "huge" at s3:\/\/.*holds at most 671088640000/,
  })
  t.equal(source.destroyed, true)
  t.same(proxy.requests, [])
  await store.close()
})

t.test('a source that gives more than it announced is refused, small or large', async (t) => {
  const config = await minio.bucket()
  const store = await openStore(config)
  for (const size of [100, smallFile, smallFile + 100]) {
    const write = store.write('more', Readable.from(blocks(size + 1)), { size })
    await t.rejects(write, { code: 'SOURCE_CHANGED', message: /more than the \d+ bytes announced/ })
  }
  t.same(await everyName(minio, config), [])
  await store.close()
})

t.test('below a prefix: nothing beside it is seen or touched', async (t) => {
  const config = await minio.bucket()
  const outer = await openStore(config)
  const store = await openStore({ ...config, prefix: 'inner/most/' })
  t.equal(store.url, `s3://${config.bucket}/inner/most`)
  await put(outer, 'inner/mostly', 'beside')
  await put(outer, 'x/a', 'beside')
  await put(store, 'x/a', 'inside')
  t.same(
    (await list(store, '')).map(({ path }) => path),
    ['x/a'],
  )
  t.equal(String(await readObject(minio, config, 'inner/most/x/a')), 'inside')
  await store.remove(['x/'])
  t.same(await everyName(minio, config), ['inner/mostly', 'x/a'])
  await t.rejects(put(store, `long/${'n'.repeat(200)}/`.repeat(6).slice(0, -1), 'x'), { code: 'PATH_INVALID' })
  await store.close()
  await outer.close()
})

t.test('a bucket with Object Lock takes files of both kinds and gives them away', async (t) => {
  const config = await minio.bucket({ ObjectLockEnabledForBucket: true })
  const Rule = { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } } as const
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule } as const
  await minio.client.send(new PutObjectLockConfigurationCommand({ Bucket: config.bucket, ObjectLockConfiguration }))
  const store = await openStore(config)
  const size = smallFile + 3
  await put(store, 'small', 'x')
  await store.write('large', Readable.from(blocks(size)), { size })
  t.equal((await readObject(minio, config, 'large'))?.length, size)
  t.same((await everyName(minio, config)).sort(), ['large', 'small'])
  await store.remove(['large', 'small'])
  t.same(await everyName(minio, config), [])
  await store.close()
})

t.test('the hash goes along as metadata, and as a checksum of the whole object', async (t) => {
  const config = await minio.bucket()
  const store = await openStore(config)
  await put(store, 'small', 'content')
  const size = smallFile + 1
  const content = Buffer.alloc(size, 7)
  await store.write('large', Readable.from([content]), { size, sha256: sha256(content) })
  const head = (Key: string) =>
    minio.client.send(new HeadObjectCommand({ Bucket: config.bucket, Key, ChecksumMode: 'ENABLED' }))
  const small = await head('small')
  t.same(small.Metadata, { sha256: sha256('content') })
  t.equal(Buffer.from(small.ChecksumSHA256 ?? '', 'base64').toString('hex'), sha256('content'))
  t.same((await head('large')).Metadata, { sha256: sha256(content) })
  await store.close()
})

/** Blocks of 300,000 bytes, each of its own. */
function* blocks(size: number, look: (block: Buffer) => void = () => {}): Generator<Buffer> {
  for (let left = size; left > 0; left -= 300_000) {
    const block = randomBytes(Math.min(left, 300_000))
    look(block)
    yield block
  }
}

import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import t from 'tap'
import { openStore } from '../../src/stores/open.js'
import { type Store, smallFile } from '../../src/stores/store.js'
import { readObject } from '../servers/bucket.js'
import { startMinio } from '../servers/minio.js'
import { assumeRole } from '../servers/minio-role.js'
import { startProxy } from '../servers/proxy.js'
import { sha256 } from './contract.js'

// When the service may copy by itself, and when the bytes have to travel.

t.setTimeout(900_000)
const minio = await startMinio(t)
const content = randomBytes(300_000)

async function twoBuckets() {
  const [from, to] = [await minio.bucket(), await minio.bucket()]
  return { from, to, source: await openStore(from), target: await openStore(to) }
}

/** As Arc does it: no checksum goes along. */
async function putPlain(bucket: string, Key: string, Body: Buffer): Promise<void> {
  await minio.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ChecksumAlgorithm: 'CRC32' }))
}

const copy = (target: Store, source: Store, path: string, options = {}) => target.copy?.(source, path, path, options)

t.test('a backup: what the copy shows is the hash of the whole object, however the source was made', async (t) => {
  const { from, to, source, target } = await twoBuckets()
  const large = randomBytes(smallFile + 5)
  await putPlain(from.bucket, 'a b+%/small', content)
  await source.write('large', Readable.from([large]), { size: large.length })
  for (const [path, bytes] of [
    ['a b+%/small', content],
    ['large', large],
  ] as const) {
    let counted = 0
    const copied = await copy(target, source, path, { onBytes: (count: number) => (counted += count) })
    t.match(copied, { size: bytes.length, sha256: sha256(bytes), serverSide: true }, path)
    t.equal(counted, bytes.length)
    t.same(await readObject(minio, to, path), bytes)
  }
})

t.test('a restore: only where the source shows the recorded hash itself', async (t) => {
  const { from, to, source, target } = await twoBuckets()
  await putPlain(from.bucket, 'unproven', content)
  await source.writeSmall?.('proven', content)
  const recorded = { size: content.length, sha256: sha256(content) }
  t.equal(await copy(target, source, 'unproven', recorded), undefined, 'the bytes have to travel')
  t.equal(await readObject(minio, to, 'unproven'), null)
  t.match(await copy(target, source, 'proven', recorded), { sha256: recorded.sha256, serverSide: true })
  await t.rejects(async () => copy(target, source, 'proven', { ...recorded, sha256: sha256('other') }), {
    code: 'INTEGRITY',
  })
  await t.rejects(async () => copy(target, source, 'proven', { ...recorded, size: 1 }), { code: 'INTEGRITY' })
  t.equal(await copy(target, source, 'missing', recorded), undefined)
})

t.test('exactly the version that was looked at', async (t) => {
  const { from, to, source } = await twoBuckets()
  const proxy = await startProxy(t, minio.port)
  const [far, near] = [{ ...from, endpoint: proxy.url }, await openStore({ ...to, endpoint: proxy.url })]
  await source.writeSmall?.('x', content)
  proxy.plan.before = async (request) => {
    if (request.startsWith('PUT')) await putPlain(from.bucket, 'x', Buffer.from('another'))
  }
  const recorded = { size: content.length, sha256: sha256(content) }
  t.equal(await copy(near, await openStore(far), 'x', recorded), undefined)
  t.equal(await readObject(minio, to, 'x'), null)
})

t.test('a service that is silent for too long while it copies: the bytes travel, and nobody asks again', async (t) => {
  const { from, to, source } = await twoBuckets()
  const proxy = await startProxy(t, minio.port)
  const behind = { endpoint: proxy.url, stallTimeoutMs: 500 }
  const [far, near] = [await openStore({ ...from, ...behind }), await openStore({ ...to, ...behind })]
  await source.writeSmall?.('x', content)
  proxy.plan.before = (request) => (request.startsWith('PUT') ? new Promise(() => {}) : Promise.resolve())
  const recorded = { size: content.length, sha256: sha256(content) }
  const asked = (): number => proxy.requests.splice(0).filter((request) => request.startsWith('PUT')).length
  t.equal(await copy(near, far, 'x', recorded), undefined)
  t.equal(asked(), 1)
  const { etag = '' } = await far.stat('x')
  t.equal(await far.duplicate?.('x', 'y', { ...recorded, etag }), undefined)
  t.equal(asked(), 1)
})

t.test('not between two services, nor for other credentials', async (t) => {
  const { from, source, target, to } = await twoBuckets()
  await source.writeSmall?.('x', content)
  const credentials = await assumeRole(minio, ['s3:*'])
  const endpoint = from.endpoint?.replace('127.0.0.1', 'localhost') ?? ''
  for (const other of [await openStore({ ...from, credentials }), await openStore({ ...from, endpoint })]) {
    t.equal(await copy(target, other, 'x'), undefined)
  }
  t.equal(await readObject(minio, to, 'x'), null)
})

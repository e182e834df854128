import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import t from 'tap'
import { openStore, type S3StoreConfig } from '../../src/stores/open.js'
import { type Store, smallFile } from '../../src/stores/store.js'
import { startMinio } from '../servers/minio.js'
import { put, sha256 } from './contract.js'

// What a company's bucket may ask of each object: encryption, a key, a class.

t.setTimeout(900_000)
const key = 'arc-test-kms'
const minio = await startMinio(t, { env: { MINIO_KMS_SECRET_KEY: `${key}:${randomBytes(32).toString('base64')}` } })

/** Writes by every door that makes an object, and answers what the service says of each. */
async function written(settings: Partial<S3StoreConfig>) {
  const config = { ...(await minio.bucket()), ...settings }
  const store: Store = await openStore(config)
  const size = smallFile + 1
  await put(store, 'small', 'content')
  const { etag = '' } = await store.stat('small')
  await store.write('large', Readable.from([Buffer.alloc(size, 1)]), { size })
  await store.duplicate?.('small', 'duplicated', { size: 7, sha256: sha256('content'), etag })
  await store.copy?.(store, 'small', 'copied', {})
  const heads = ['small', 'large', 'duplicated', 'copied'].map(async (Key) => {
    const head = await minio.client.send(new HeadObjectCommand({ Bucket: config.bucket, Key }))
    return [head.ServerSideEncryption, head.SSEKMSKeyId?.replace(/^arn:aws:kms:/, ''), head.StorageClass]
  })
  const found = await Promise.all(heads)
  t.equal(String((await store.readSmall?.('copied'))?.bytes), 'content')
  await store.close()
  return found
}

t.test('server-side encryption', async (t) => {
  t.same(await written({ sse: 'AES256' }), Array(4).fill(['AES256', undefined, undefined]))
  t.same(await written({ sse: 'aws:kms', kmsKeyId: key }), Array(4).fill(['aws:kms', key, undefined]))
})

t.test('a storage class', async (t) => {
  const reduced = 'REDUCED_REDUNDANCY'
  t.same(await written({ storageClass: reduced }), Array(4).fill([undefined, undefined, reduced]))
})

t.test('what the service does not offer is said in its words', async (t) => {
  const store = await openStore({ ...(await minio.bucket()), storageClass: 'TAPE' })
  const refused = { code: 'CONFIG_INVALID', message: /cannot write "(small|large)" at s3:.*storage class/ }
  await t.rejects(put(store, 'small', 'x'), refused)
  const size = smallFile + 1
  await t.rejects(store.write('large', Readable.from([Buffer.alloc(size)]), { size }), refused)
  const unknown = await openStore({ ...(await minio.bucket()), sse: 'aws:kms', kmsKeyId: 'no-such-key' })
  await t.rejects(put(unknown, 'small', 'x'), { code: 'STORE_DENIED', message: /the encryption key can't be used/ })
  await store.close()
  await unknown.close()
})

import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { S3Store } from '../../src/stores/s3.js'
import { S3Bucket } from '../../src/stores/s3-bucket.js'
import { duplicateObject } from '../../src/stores/s3-duplicate.js'
import type { Upload } from '../../src/stores/store.js'
import { startMinio } from '../servers/minio.js'

const minio = await startMinio(t)

t.test('an object too large for one request is copied in parts, on record before the first', async (t) => {
  const config = await minio.bucket()
  const store = new S3Store(config)
  const bucket = new S3Bucket(config)
  t.teardown(() => store.close())
  t.teardown(() => bucket.close())
  const content = randomBytes((17 << 20) + 3)
  const sha256 = createHash('sha256').update(content).digest('hex')
  const { etag = '' } = await store.write('old', Readable.from([content]), { size: content.length })
  const limits = { whole: 8 << 20, part: 5 << 20 }
  const uploads: Upload[] = []
  const options = { headers: {}, settings: {}, limits, onUpload: (upload: Upload) => void uploads.push(upload) }
  const recorded = { size: content.length, sha256, etag }
  const made = await duplicateObject(bucket, 'old', 'new', recorded, options)
  t.match(made, { serverSide: true, etag: (await store.stat('new')).etag })
  const parts: Buffer[] = []
  for await (const part of await store.read('new')) parts.push(part as Buffer)
  t.equal(createHash('sha256').update(Buffer.concat(parts)).digest('hex'), sha256)
  t.match(uploads, [{ path: 'new', uploadId: String }])

  await store.write('old', Readable.from([content.subarray(1)]), { size: content.length - 1 })
  t.equal(await duplicateObject(bucket, 'old', 'other', recorded, options), undefined, 'another version by now')
  t.same(minio.uploads(), [], 'what was begun is taken back')
  await t.rejects(store.stat('other'), { code: 'STORE_NOT_FOUND' })
})

// Makes the bucket and the container of compose.yaml, where they are not there yet.
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { BlobServiceClient } from '@azure/storage-blob'

const { STORE = '', MINIO_ENDPOINT = '', MINIO_USER = '', MINIO_PASSWORD = '', AZURITE = '' } = process.env
const attempts = 30

const minio = new S3Client({
  region: 'us-east-1',
  endpoint: MINIO_ENDPOINT,
  forcePathStyle: true,
  credentials: { accessKeyId: MINIO_USER, secretAccessKey: MINIO_PASSWORD },
})
await whenUp('bucket', async () => {
  const isThere = await minio.send(new HeadBucketCommand({ Bucket: STORE })).then(
    () => true,
    (error) => {
      if (error.name !== 'NotFound') throw error
      return false
    },
  )
  if (!isThere) await minio.send(new CreateBucketCommand({ Bucket: STORE }))
})
await whenUp('container', () =>
  BlobServiceClient.fromConnectionString(AZURITE).getContainerClient(STORE).createIfNotExists(),
)

/** A second between tries: the servers have only just been started. */
async function whenUp(what, make) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await make()
      console.log(`${what} ${STORE} is there`)
      return
    } catch (error) {
      if (attempt === attempts) throw error
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
}

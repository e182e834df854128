import t from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { faultyKinds, largeBytes, prepareGround } from '../support/faulty-ground.js'

t.setTimeout(180_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t)
const [s3] = faultyKinds(minio, azurite)

t.test('an upload that could not be taken back in a backup that completes goes later', async (t) => {
  if (!s3) throw new Error('no S3')
  const ground = await prepareGround(t, minio, s3, { as: 'target' })
  const { plan } = ground.proxy
  plan.refuse = { of: 'x-id=AbortMultipartUpload', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }
  let changes = 1
  plan.before = async (request) => {
    if (!request.includes('large.parquet') || !request.includes('partNumber=1&') || changes === 0) return
    changes -= 1
    await ground.storage.put('db/m/large.parquet', Buffer.alloc(largeBytes, 'newer'))
  }
  const backup = await ground.run('', { include_metadata: false, incremental: false })
  t.match(backup, { outcome: 'completed', processed_files: 61, skipped_files: 0 }, String(backup.error))
  t.equal(changes, 0)
  await ground.isWhole(backup)
  t.equal(minio.uploads().length, 1, 'that of the file that changed')
  delete plan.refuse
  await ground.becomesClean()

  const asked = ground.proxy.requests.length
  await ground.run('', { include_metadata: false, incremental: false })
  const later = ground.proxy.requests.slice(asked)
  t.notOk(
    later.some((request) => request.includes('AbortMultipartUpload')),
    'where all went well nothing is asked for',
  )
})

import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { faultyKinds, type Ground, type GroundOptions, prepareGround } from '../support/faulty-ground.js'
import type { Json } from '../support/service.js'

t.setTimeout(180_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t)
const dataOnly = { include_metadata: false, incremental: false }

async function prepare(t: Test, as: GroundOptions['as']): Promise<Ground> {
  const azure = faultyKinds(minio, azurite).find(({ name }) => name === 'azure')
  if (!azure) throw new Error('no Azure')
  return prepareGround(t, minio, azure, { as })
}

async function archive({ keys }: Ground, name: string): Promise<void> {
  await azurite.client(String(keys.azure_container)).getBlobClient(name).setAccessTier('Archive')
}

t.test('an archived object is a gap of a backup, which has all others', async (t) => {
  const ground = await prepare(t, 'storage')
  await archive(ground, 'db/m/7.parquet')
  t.match(await ground.run('', dataOnly), {
    outcome: 'gaps',
    processed_files: 60,
    skipped_sample: [{ path: 'db/m/7.parquet', code: 'ARCHIVED', message: /rehydrate/ }],
  })
})

t.test('an archived object of a backup is named by a verify, and keeps no other from a restore', async (t) => {
  const ground = await prepare(t, 'target')
  const backup = await ground.run('', dataOnly)
  const before = await ground.storage.tree()
  for (const path of Object.keys(before)) await ground.storage.remove(path)
  await archive(ground, `${backup.backup_id}/data/db/m/7.parquet`)
  const missing = [{ path: 'db/m/7.parquet', code: 'ARCHIVED' }]
  const { json } = await ground.call('POST', `/${backup.backup_id}/verify`, { level: 'full' })
  const verify = await ended(ground, json)
  t.equal(verify.outcome, 'failed', String(verify.error))
  t.match(JSON.stringify(verify), /db\/m\/7\.parquet.*ARCHIVED/)
  const restore = await ground.run('/restore', { backup_id: backup.backup_id, confirm: true, restore_metadata: false })
  t.match(restore, { outcome: 'failed', error_code: 'INTEGRITY', missing_files: 1, missing_sample: missing })
  delete before['db/m/7.parquet']
  t.same(await ground.storage.tree(), before)
})

async function ended({ call }: Ground, { operation_id: id }: Json): Promise<Json> {
  for (;;) {
    const { json } = await call('GET', `/operations/${id}`)
    if (json.status !== 'running') return json
    await sleep(20)
  }
}

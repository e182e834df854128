import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import t from 'tap'
import { partSize } from '../../src/stores/s3-upload.js'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { copyFixture } from '../support/fixture.js'
import { type Json, startTestService } from '../support/service.js'

// Objects that may not be changed or removed: a bucket with Object Lock, and blobs under a lease.

t.setTimeout(600_000)
const top = ['[auth]', 'enabled = false', '[storage]', 'local_path = "./data/arc"']
const whole = { include_metadata: false, incremental: false }

t.test('a bucket with Object Lock: backups go in, a delete hides, and what is hidden can be had back', async (t) => {
  const minio = await startMinio(t)
  const { bucket } = await minio.bucket({ ObjectLockEnabledForBucket: true })
  const DefaultRetention = { Mode: 'COMPLIANCE', Days: 1 } as const
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention } } as const
  await minio.client.send(new PutObjectLockConfigurationCommand({ Bucket: bucket, ObjectLockConfiguration }))
  const folder = t.testdir({})
  copyFixture(folder)
  // In parts: each of them needs a checksum too.
  const large = `${folder}/data/arc/large/m/2026/01/01/00`
  mkdirSync(large, { recursive: true })
  writeFileSync(`${large}/large.parquet`, randomBytes(partSize(0, '', '') + 1))
  const lines = [
    ...top,
    ...['[backup]', 'local_path = ""', 'default_target = "worm"', '[backup.targets.worm]', 'type = "s3"'],
    ...[`s3_bucket = "${bucket}"`, `s3_endpoint = "127.0.0.1:${minio.port}"`, 's3_use_ssl = false'],
    's3_path_style = true',
    `s3_access_key = "${minio.credentials.accessKeyId}"`,
    `s3_secret_key = "${minio.credentials.secretAccessKey}"`,
  ]
  writeFileSync(`${folder}/arc.toml`, lines.join('\n'))
  const { run, call } = await startTestService(t, { folder })
  // Fewer than a page of them.
  const versionsOf = (Prefix: string) => minio.client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix }))
  const listed = async (): Promise<unknown[]> => {
    const { json } = await call('GET', '')
    return (json.backups as Json[]).map(({ backup_id }) => backup_id).sort()
  }

  const ids: string[] = []
  for (let turn = 0; turn < 3; turn += 1) {
    const backup = await run('', whole)
    t.match(backup, { outcome: 'completed', skipped_files: 0 })
    ids.push(String(backup.backup_id))
  }
  const [first = '', second, third] = ids
  t.same(await listed(), [...ids].sort())
  t.equal((await call('DELETE', `/${first}`)).status, 200)
  // Ids of one second are in no order.
  t.same(await listed(), [second, third].sort())
  const { Versions = [], DeleteMarkers = [] } = await versionsOf(`${first}/`)
  const [kept] = Versions.filter(({ Key }) => Key?.endsWith('large.parquet'))
  t.equal(kept?.Size, partSize(0, '', '') + 1, 'its bytes are there until their retention ends')
  const { Key, VersionId } = kept ?? {}
  const remove = minio.client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }))
  await t.rejects(remove, /WORM|lock/i, 'the bucket does hold it fast')

  for (const { Key: name, VersionId: version } of DeleteMarkers) {
    await minio.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: name, VersionId: version }))
  }
  t.same(await listed(), [...ids].sort(), 'without its delete markers the backup is back')
  t.match(await run('/restore', { backup_id: first, confirm: true, restore_metadata: false, all_or_nothing: true }), {
    outcome: 'completed',
  })

  const pruned = await call('POST', '/prune', { keep_last: 1 })
  t.equal(pruned.status, 202)
  t.match(await operationOf(call, pruned.json.operation_id), { outcome: 'completed', removed_backups: 2 })
  t.same(await listed(), [third])
})

t.test('blobs under a lease: a delete says what it could not remove, a prune goes on with the others', async (t) => {
  const azurite = await Azurite.start(t)
  const container = await azurite.container()
  const folder = t.testdir({})
  copyFixture(folder)
  const lines = [
    ...top,
    ...['[backup]', 'local_path = ""', 'default_target = "blobs"', '[backup.targets.blobs]', 'type = "azure"'],
    `azure_container = "${container.containerName}"`,
    `azure_connection_string = "${azurite.connectionString}"`,
  ]
  writeFileSync(`${folder}/arc.toml`, lines.join('\n'))
  const { run, call, service } = await startTestService(t, { folder })
  const namesOf = async (prefix: string): Promise<string[]> => {
    const names: string[] = []
    for await (const { name } of container.listBlobsFlat({ prefix })) names.push(name)
    return names
  }
  const ids: string[] = []
  for (let turn = 0; turn < 4; turn += 1) ids.push(String((await run('', whole)).backup_id))
  const [first, second, third, fourth] = ids
  const lease = (name: string) => container.getBlobClient(name).getBlobLeaseClient()

  const manifest = lease(`${first}/manifest.json`)
  await manifest.acquireLease(-1)
  t.match(await call('DELETE', `/${first}`), { status: 409, json: { code: 'OBJECT_LOCKED', error: /lease/ } })
  t.match(await call('GET', `/${first}`), { status: 200 }, 'whose manifest may not go is a backup still')
  t.match(await run('/restore', { backup_id: first, confirm: true, restore_metadata: false, all_or_nothing: true }), {
    outcome: 'completed',
  })

  const pruned = await call('POST', '/prune', { keep_last: 2 })
  const end = await operationOf(call, pruned.json.operation_id)
  t.match(end, { outcome: 'failed', error_code: 'OBJECT_LOCKED', removed_backups: 1, failed_backups: 1 })
  t.same(await namesOf(`${second}/`), [], 'the one after it is gone')

  const [data = ''] = (await namesOf(`${third}/data/`)).slice(-1)
  const held = lease(data)
  await held.acquireLease(-1)
  const refused = await call('DELETE', `/${third}`)
  t.match(refused, {
    status: 409,
    json: { code: 'OBJECT_LOCKED', error: /is deleted, but not all of its files.*lease/ },
  })
  t.equal((await call('GET', `/${third}`)).status, 404, 'what is not whole any more is not listed')
  const left = await namesOf(`${third}/`)
  t.ok(left.includes(data) && left.includes(`${third}/.arc-backup.json`), 'its marker says that the rest may go')
  const { json } = await call('GET', '/operations?limit=1')
  t.match(json, { operations: [{ operation: 'delete', outcome: 'failed', error_code: 'OBJECT_LOCKED' }] })
  await held.breakLease(0)
  await service.coordinator.sweep(false)
  t.same(await namesOf(`${third}/`), [`${third}/manifest.json`], 'a tombstone, which is no backup')
  t.equal((await call('GET', `/${fourth}`)).status, 200)
})

async function operationOf(
  call: (method: string, path: string) => Promise<{ json: Json }>,
  id: unknown,
): Promise<Json> {
  for (;;) {
    const { json } = await call('GET', `/operations/${id}`)
    if (json.status !== 'running') return json
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { ContainerSASPermissions } from '@azure/storage-blob'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { assumePolicy, type Statement } from '../servers/minio-role.js'
import { bucketPlace, containerPlace, type Place } from '../support/place.js'
import { startTestService, type TestService } from '../support/service.js'

// The least rights that a source and a target need, as docs/stores.md names them.

const minio = await startMinio(t)
const azurite = await Azurite.start(t)
/** Several services of one test run at once. */
function freshFolder(t: Test): string {
  const folder = `${t.testdirName}/${randomUUID()}`
  mkdirSync(folder, { recursive: true })
  return folder
}

const large = Buffer.alloc(20 << 20, 'large')

/** Backs up, lists and verifies. */
async function useTarget({ run, call }: TestService): Promise<string> {
  const backup = await run('', { include_metadata: false })
  t.match(backup, { outcome: 'completed', processed_files: 2 })
  t.match((await call('GET', '')).json, { count: 1 })
  const id = String(backup.backup_id)
  const { json } = await call('POST', `/${id}/verify`, { level: 'full' })
  for (;;) {
    const status = (await call('GET', `/operations/${json.operation_id}`)).json
    if (status.status === 'running') continue
    t.match(status, { outcome: 'completed' })
    return id
  }
}

async function deleteThere({ call }: TestService, id: string): Promise<void> {
  t.equal((await call('DELETE', `/${id}`)).status, 200)
  t.match((await call('GET', '')).json, { count: 0 })
}

/** Restores what is gone from the storage, from a target that may only be read. */
async function restoreFrom({ run }: TestService, place: Place, id: string): Promise<void> {
  const before = await place.tree()
  for (const path of Object.keys(before)) await place.remove(path)
  t.match(await run('/restore', { backup_id: id, confirm: true }), { outcome: 'completed', processed_files: 2 })
  const { '.arc-backup.lock.json': _, ...after } = await place.tree()
  t.same(after, before)
}

const allow = (bucket: string, list: string[], objects: string[]): Statement[] => [
  { Effect: 'Allow', Action: list, Resource: [`arn:aws:s3:::${bucket}`] },
  { Effect: 'Allow', Action: objects, Resource: [`arn:aws:s3:::${bucket}/*`] },
]

t.test('S3', async (t) => {
  t.testdir({})
  const [source, target] = [(await minio.bucket()).bucket, (await minio.bucket()).bucket]
  const place = bucketPlace(minio, source)
  await place.put('db/m/small.parquet', Buffer.from('small'))
  await place.put('db/m/large.parquet', large)
  const way = [`s3_endpoint = "127.0.0.1:${minio.port}"`, 's3_use_ssl = false', 's3_path_style = true']
  const config = [
    ...['[auth]', 'enabled = false', '[storage]', 'backend = "s3"', `s3_bucket = "${source}"`, ...way],
    ...['[backup]', 'local_path = ""', 'default_target = "there"'],
    ...['[backup.targets.there]', 'type = "s3"', `s3_bucket = "${target}"`, ...way],
  ]
  const reading = allow(source, ['s3:ListBucket'], ['s3:GetObject'])
  const writing = ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload']
  const start = async (statements: Statement[]): Promise<TestService> => {
    const folder = freshFolder(t)
    writeFileSync(`${folder}/arc.toml`, config.join('\n'))
    const { accessKeyId, secretAccessKey, sessionToken = '' } = await assumePolicy(minio, statements)
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    return startTestService(t, { folder, env: { ...keys, AWS_SESSION_TOKEN: sessionToken } })
  }
  const service = await start([...reading, ...allow(target, ['s3:ListBucket'], writing)])
  const id = await useTarget(service)
  const other = allow(target, ['s3:ListBucket'], ['s3:GetObject'])
  await restoreFrom(await start([...allow(source, ['s3:ListBucket'], writing), ...other]), place, id)
  await deleteThere(service, id)
  await service.service.close()

  const less = await start([...reading, ...allow(target, ['s3:ListBucket'], ['s3:GetObject'])])
  t.match(await less.run(''), { outcome: 'failed', error_code: 'READ_ONLY', error: /cannot write .*s3:/ })
})

t.test('Azure', async (t) => {
  t.testdir({})
  const [source, target] = [await azurite.container(), await azurite.container()]
  const place = containerPlace(source)
  await place.put('db/m/small.parquet', Buffer.from('small'))
  await place.put('db/m/large.parquet', large)
  const sas = async (container: typeof source, permissions: string): Promise<string> => {
    const url = await container.generateSasUrl({
      permissions: ContainerSASPermissions.parse(permissions),
      startsOn: new Date(Date.now() - 60_000),
      expiresOn: new Date(Date.now() + 3_600_000),
    })
    return new URL(url).search.slice(1)
  }
  const way = [`azure_endpoint = "${azurite.endpoint}"`, `azure_account_name = "${azurite.account}"`]
  const start = async (permissions: string, ofSource = 'rl'): Promise<TestService> => {
    const folder = freshFolder(t)
    const config = [
      ...['[auth]', 'enabled = false', '[storage]', 'backend = "azure"', ...way],
      ...[`azure_container = "${source.containerName}"`, `azure_sas_token = "${await sas(source, ofSource)}"`],
      ...[
        '[backup]',
        'local_path = ""',
        'default_target = "there"',
        '[backup.targets.there]',
        'type = "azure"',
        ...way,
      ],
      ...[`azure_container = "${target.containerName}"`, `azure_sas_token = "${await sas(target, permissions)}"`],
    ]
    writeFileSync(`${folder}/arc.toml`, config.join('\n'))
    return startTestService(t, { folder })
  }
  const service = await start('rwdl')
  const id = await useTarget(service)
  await restoreFrom(await start('rl', 'rwdl'), place, id)
  await deleteThere(service, id)
  await service.service.close()
  const less = await start('rl')
  t.match(await less.run(''), {
    outcome: 'failed',
    error_code: 'READ_ONLY',
    error: /cannot write .*azure:/,
  })
})

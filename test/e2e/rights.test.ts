import { writeFileSync } from 'node:fs'
import { ContainerSASPermissions } from '@azure/storage-blob'
import t from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { assumePolicy, type Statement } from '../servers/minio-role.js'
import { bucketPlace, containerPlace } from '../support/place.js'
import { startTestService, type TestService } from '../support/service.js'

// The least rights that a source and a target need, as docs/stores.md names them.

const minio = await startMinio(t)
const azurite = await Azurite.start(t)
const large = Buffer.alloc(20 << 20, 'large')

/** Backs up, lists, verifies and deletes. */
async function useTarget({ run, call }: TestService): Promise<void> {
  const backup = await run('', { include_metadata: false })
  t.match(backup, { outcome: 'completed', processed_files: 2 })
  t.match((await call('GET', '')).json, { count: 1 })
  const id = String(backup.backup_id)
  const { json } = await call('POST', `/${id}/verify`, { level: 'full' })
  for (;;) {
    const status = (await call('GET', `/operations/${json.operation_id}`)).json
    if (status.status === 'running') continue
    t.match(status, { outcome: 'completed' })
    break
  }
  t.equal((await call('DELETE', `/${id}`)).status, 200)
  t.match((await call('GET', '')).json, { count: 0 })
}

const allow = (bucket: string, list: string[], objects: string[]): Statement[] => [
  { Effect: 'Allow', Action: list, Resource: [`arn:aws:s3:::${bucket}`] },
  { Effect: 'Allow', Action: objects, Resource: [`arn:aws:s3:::${bucket}/*`] },
]

t.test('S3', async (t) => {
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
    const folder = t.testdir({})
    writeFileSync(`${folder}/arc.toml`, config.join('\n'))
    const { accessKeyId, secretAccessKey, sessionToken = '' } = await assumePolicy(minio, statements)
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    return startTestService(t, { folder, env: { ...keys, AWS_SESSION_TOKEN: sessionToken } })
  }
  const service = await start([...reading, ...allow(target, ['s3:ListBucket'], writing)])
  await useTarget(service)
  await service.service.close()

  const less = await start([...reading, ...allow(target, ['s3:ListBucket'], ['s3:GetObject'])])
  t.match(await less.run(''), { outcome: 'failed', error_code: 'READ_ONLY', error: /cannot write .*s3:/ })
})

t.test('Azure', async (t) => {
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
  const start = async (permissions: string): Promise<TestService> => {
    const folder = t.testdir({})
    const config = [
      ...['[auth]', 'enabled = false', '[storage]', 'backend = "azure"', ...way],
      ...[`azure_container = "${source.containerName}"`, `azure_sas_token = "${await sas(source, 'rl')}"`],
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
  await useTarget(service)
  await service.service.close()
  const less = await start('rl')
  t.match(await less.run(''), {
    outcome: 'failed',
    error_code: 'READ_ONLY',
    error: /cannot write .*azure:/,
  })
})

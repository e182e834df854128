import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { bucketPlace, containerPlace, folderPlace, type Place } from '../support/place.js'
import { end, type Served, serve } from './served.js'

// Two services, each with its own state and its own Arc, that write to one destination.

t.setTimeout(600_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t)

async function sharedTarget(t: Test, kind: string): Promise<{ place: Place; lines: string[] }> {
  if (kind === 'local') {
    const root = `${t.testdirName}/shared`
    mkdirSync(root, { recursive: true })
    return { place: folderPlace(root), lines: ['type = "local"', `local_path = "${root}"`] }
  }
  if (kind === 's3') {
    const { bucket } = await minio.bucket()
    const { accessKeyId, secretAccessKey } = minio.credentials
    const place = [`s3_bucket = "${bucket}"`, `s3_endpoint = "127.0.0.1:${minio.port}"`]
    const keys = [`s3_access_key = "${accessKeyId}"`, `s3_secret_key = "${secretAccessKey}"`]
    const lines = ['type = "s3"', ...place, 's3_use_ssl = false', 's3_path_style = true', ...keys]
    return { place: bucketPlace(minio, bucket), lines }
  }
  const container = await azurite.container()
  const account = `azure_connection_string = "${azurite.connectionString}"`
  const lines = ['type = "azure"', `azure_container = "${container.containerName}"`, account]
  return { place: containerPlace(container), lines }
}

/** An Arc of its own whose backups take two seconds, and a service beside it. */
async function makeArc(t: Test, name: string, lines: readonly string[]): Promise<Served> {
  const folder = `${t.testdirName}/${name}`
  mkdirSync(`${folder}/data/arc/db/m`, { recursive: true })
  for (let index = 0; index < 6; index += 1) {
    writeFileSync(`${folder}/data/arc/db/m/${index}.parquet`, Buffer.alloc(16 << 20, index))
  }
  const config = ['[auth]', 'enabled = false', '[backup]', 'local_path = ""', 'default_target = "shared"']
  const limits = ['lock_ttl = "4s"', 'bandwidth_limit = "48MB/s"']
  writeFileSync(`${folder}/arc.toml`, [...config, ...limits, '[backup.targets.shared]', ...lines].join('\n'))
  return serve(t, folder)
}

const idOf = async ({ call }: Served): Promise<unknown> => (await call('GET', '/status')).operation_id

for (const kind of ['local', 's3', 'azure']) {
  t.test(`${kind}: one writer for a destination, and the other learns who it is`, async (t) => {
    t.testdir({})
    const { place, lines } = await sharedTarget(t, kind)
    const [first, second] = [await makeArc(t, 'first', lines), await makeArc(t, 'second', lines)]
    await first.call('POST', '')
    await first.reach('copying')
    const operation = await idOf(first)
    const refused = {
      error: /is being written to by operation/,
      operation: 'backup',
      status: 'running',
      held_by: { operation },
    }
    t.match(await second.call('POST', ''), refused)
    t.same((await second.call('GET', '')).count, 0, 'reading needs no lock')
    t.match(await first.settled(), { outcome: 'completed' })
    t.match(await second.call('POST', ''), { status: 'running' })
    t.match(await second.settled(), { outcome: 'completed' })

    // A holder that dies: on local disk its lock dies with it, elsewhere it is stale before long.
    await first.call('POST', '')
    await first.reach('copying')
    await end(first, 'SIGKILL')
    if (kind !== 'local') t.match(await second.call('POST', ''), { held_by: { operation: /./ } })
    let started = await second.call('POST', '')
    for (; started.held_by !== undefined; started = await second.call('POST', '')) await sleep(200)
    t.match(started, { status: 'running' })
    t.match(await second.settled(), { outcome: 'completed' })
    await end(second, 'SIGTERM')

    const manifests = Object.keys(await place.tree()).filter((path) => path.endsWith('/manifest.json'))
    t.equal(manifests.length, 3)
  })
}

t.test('s3: a writer that stood still past its lock does not commit', async (t) => {
  t.testdir({})
  const { place, lines } = await sharedTarget(t, 's3')
  const [first, second] = [await makeArc(t, 'first', lines), await makeArc(t, 'second', lines)]
  const before = minio.uploads()
  const { backup_id } = await first.call('POST', '')
  await first.reach('copying')
  first.program.child.kill('SIGSTOP')
  let started = await second.call('POST', '')
  for (; started.held_by !== undefined; started = await second.call('POST', '')) await sleep(200)
  t.match(await second.settled(), { outcome: 'completed' })
  first.program.child.kill('SIGCONT')
  t.match(await first.settled(), { status: 'failed', error_code: 'LOCK_LOST' })
  const names = Object.keys(await place.tree())
  t.notOk(names.includes(`${backup_id}/manifest.json`))
  t.same(minio.uploads(), before)
  await end(first, 'SIGTERM')
  await end(second, 'SIGTERM')
})

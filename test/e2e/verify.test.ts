import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { arcBackupId, copyFixture } from '../support/fixture.js'
import { growDatabase } from '../support/neighbour.js'
import { bucketPlace, containerPlace, folderPlace, type Place } from '../support/place.js'
import { replaceSealed, sealAnew } from '../support/seal.js'
import { type Json, startTestService, type TestService } from '../support/service.js'

t.setTimeout(900_000)

interface Verifying extends TestService {
  /** Verifies a backup, and answers the operation as it ended. */
  verify(id: string, body?: Json): Promise<Json>
  /** Waits for the end of an operation. */
  ended(operation: unknown): Promise<Json>
}

function verifying(service: TestService): Verifying {
  const { call } = service
  const ended: Verifying['ended'] = async (operation) => {
    for (;;) {
      const { json } = await call('GET', `/operations/${operation}`)
      if (json.status !== 'running') return json
      await sleep(10)
    }
  }
  const verify: Verifying['verify'] = async (id, body) => {
    const started = await call('POST', `/${id}/verify`, body)
    if (started.status !== 202) throw new Error(`verify answered ${started.status}: ${started.text}`)
    return ended(started.json.operation_id)
  }
  return { ...service, verify, ended }
}

/** A service with a backup. */
async function scene(t: Test) {
  const service = verifying(await startTestService(t))
  const id = String((await service.run('')).backup_id)
  return { ...service, id, backup: `${service.folder}/data/backups/${id}` }
}

/** Every file that the list of files names, by its path in the backup. */
function namesOf(sidecar: Buffer): string[] {
  const { files, other_files: others } = JSON.parse(sidecar.toString()) as Record<string, { path: string }[]>
  return [...(files ?? []).map(({ path }) => `data/${path}`), ...(others ?? []).map(({ path }) => path)]
}

function flipped(content: Buffer, bit: number): Buffer {
  const other = Buffer.from(content)
  other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return other
}

function anyBit(content: Buffer): number {
  return Math.floor(Math.random() * content.length * 8)
}

const sound = { damaged_files: 0, missing_files: 0, unexpected_files: 0 }
const damaged = { outcome: 'failed', error_code: 'INTEGRITY', verified: 'damaged' }

t.test('a sound backup', async (t) => {
  const { call, verify, id, folder } = await scene(t)
  t.match(await verify(id), { outcome: 'completed', level: 'full', verified: 'full', processed_files: 38, ...sound })
  const deep = await verify(id, { level: 'deep' })
  t.match(deep, { outcome: 'completed', verified: 'deep', ...sound, warnings: [] })
  t.equal(deep.processed_bytes, deep.total_bytes)
  t.ok(Number(deep.total_bytes) > 83_766, 'the data, and arc.db')
  const quick = await verify(id, { level: 'quick' })
  t.match(quick, { operation: 'verify', verified: 'quick', total_files: 38, processed_files: 38, ...sound })
  const { backups } = (await call('GET', '')).json as { backups: Json[] }
  t.match(backups, [{ backup_id: id, verified: 'quick', verified_at: /^\d{4}-.*Z$/ }, { backup_id: arcBackupId }])
  t.notOk('verified' in (backups[1] ?? {}), 'nobody has verified the other one')
  t.match((await call('GET', '/status')).json, { operation: 'backup' }, "Arc's clients know of no verify")
  t.equal((await call('GET', `/operations/${quick.operation_id}/findings`)).text, '')
  t.same(readdirSync(`${folder}/data/arc-backup/operations`), [], 'nothing is left of it')
})

t.test('what is not there, what is too much, and what has another size', async (t) => {
  const { call, verify, id, backup, folder } = await scene(t)
  const [first = '', second = ''] = namesOf(readFileSync(`${backup}/manifest-files.json`))
  rmSync(`${backup}/${first}`)
  appendFileSync(`${backup}/${second}`, 'x')
  mkdirSync(`${backup}/data/a/b`, { recursive: true })
  writeFileSync(`${backup}/data/a/b/slipped in.parquet`, 'x')
  writeFileSync(`${backup}/.hidden`, 'x')
  const ended = await verify(id, { level: 'quick' })
  t.match(ended, {
    ...damaged,
    damaged_files: 1,
    damaged_sample: [{ path: second, message: /bytes/ }],
    missing_files: 1,
    missing_sample: [{ path: first, code: 'STORE_NOT_FOUND' }],
    unexpected_files: 2,
    unexpected_sample: [{ path: '.hidden' }, { path: 'data/a/b/slipped in.parquet' }],
  })
  t.match(ended.error, /1 file damaged, 1 file missing, 2 files unexpected/)
  t.match((await call('GET', '')).json, { backups: [{ backup_id: id, verified: 'damaged' }, {}] })
  const findings = `${folder}/data/arc-backup/findings/${ended.operation_id}.jsonl`
  const all = await call('GET', `/operations/${ended.operation_id}/findings`)
  t.equal(all.headers.get('content-type'), 'application/x-ndjson')
  const lines = all.text.trim().split('\n')
  t.equal(lines.length, 4, 'all of them are on record')
  t.match(JSON.parse(String(lines[0])), { flaw: 'missing', path: first })
  t.match(await call('DELETE', `/${id}`), { status: 200 })
  t.ok(existsSync(findings), 'and stay when the backup is gone: another one may share what is damaged')
  t.equal((await call('GET', `/operations/${ended.operation_id}/findings`)).status, 200)
})

t.test('a bit flipped in any file', async (t) => {
  const { call, verify, id, backup } = await scene(t)
  const paths = [...namesOf(readFileSync(`${backup}/manifest-files.json`)), 'manifest.json', 'manifest-files.json']
  t.equal(paths.length, 40)
  for (const path of paths) {
    const whole = readFileSync(`${backup}/${path}`)
    const bit = anyBit(whole)
    writeFileSync(`${backup}/${path}`, flipped(whole, bit))
    const ended = await verify(id)
    t.match(ended, { ...damaged, damaged_files: 1, missing_files: 0, unexpected_files: 0 }, `${path}, bit ${bit}`)
    t.match(ended.damaged_sample, [{ path }])
    writeFileSync(`${backup}/${path}`, whole)
  }
  t.match((await verify(id, { level: 'quick' })).verified, 'quick')
  t.match((await call('GET', '')).json, { backups: [{ verified: 'damaged' }, {}] }, 'not cleared by a lesser look')
  t.match(await verify(id), { outcome: 'completed', verified: 'full' })
  t.match((await call('GET', '')).json, { backups: [{ verified: 'full' }, {}] })
})

t.test('damage that was backed up: only a deep look finds it', async (t) => {
  const { verify, id, backup } = await scene(t)
  const [path = ''] = namesOf(readFileSync(`${backup}/manifest-files.json`))
  const file = readFileSync(`${backup}/${path}`)
  replaceSealed(backup, path, file.subarray(0, file.length - 9))
  growDatabase(`${backup}/metadata/arc.db`, 50)
  const database = readFileSync(`${backup}/metadata/arc.db`)
  database.fill(0xff, database.length - 20_000)
  replaceSealed(backup, 'metadata/arc.db', database)
  replaceSealed(backup, 'config/arc.toml', '[storage\n')
  for (const end of ['-wal', '-shm']) rmSync(`${backup}/metadata/arc.db${end}`, { force: true })
  t.match(await verify(id), { outcome: 'completed', verified: 'full', ...sound })
  const ended = await verify(id, { level: 'deep' })
  t.match(ended, { ...damaged, damaged_files: 3, missing_files: 0, unexpected_files: 0 })
  t.match(ended.damaged_sample, [
    { path, message: /no sound Parquet file/ },
    { path: 'metadata/arc.db', code: 'SQLITE_INVALID', message: /metadata\/arc\.db/ },
    { path: 'config/arc.toml', code: 'CONFIG_INVALID' },
  ])
  replaceSealed(backup, path, file)
  const other = '[storage]\nbackend = "s3"\n'
  replaceSealed(backup, 'config/arc.toml', other)
  const loaded = await verify(id, { level: 'deep' })
  t.match(loaded.damaged_sample, [{ path: 'metadata/arc.db' }], 'a configuration for another machine is no damage')
  t.match(loaded.warnings, [/could not be loaded here/])
})

t.test('while it runs', async (t) => {
  const { call, run, verify, ended, id, backup } = await scene(t)
  // Nobody writes 64 GiB for this: a hole is read as fast as it can be hashed.
  truncateSync(writeTo(`${backup}/data/hole.bin`), 64 * 2 ** 30)
  sealAnew(backup, ({ files }) => {
    files.push({ path: 'hole.bin', size_bytes: 64 * 2 ** 30, sha256: '0'.repeat(64) })
  })
  const started = await call('POST', `/${id}/verify`, { level: 'full' })
  t.match(started, {
    status: 202,
    json: { backup_id: id, level: 'full', message: 'Verify started', status: 'running', target: 'local' },
  })
  const { operation_id: operation } = started.json
  const busy = { status: 409, json: { operation: 'verify' } }
  t.match(await call('POST', `/${arcBackupId}/verify`), busy, 'one at a time')
  t.match(await call('DELETE', `/${id}`), busy)
  t.match(await run(''), { outcome: 'completed' }, 'a backup runs beside it')
  t.match(await call('DELETE', `/${arcBackupId}`), { status: 200 }, 'another backup can be deleted')
  t.match((await call('GET', `/operations/${operation}`)).json, { status: 'running', operation: 'verify' })
  t.match((await call('GET', '/status')).json, { operation: 'backup', status: 'completed' })
  t.match(await call('POST', '/cancel'), { status: 404 }, 'no backup and no restore runs')
  t.match(await call('POST', `/operations/${operation}/cancel`), { status: 202 })
  t.match(await ended(operation), { outcome: 'cancelled', verified: null })
  t.match(await call('POST', `/operations/${operation}/cancel`), { status: 404 })
  t.equal((await call('GET', `/operations/${operation}/findings`)).status, 404)
  const { backups } = (await call('GET', '')).json as { backups: Json[] }
  t.notOk(
    backups.some((entry) => 'verified' in entry),
    'there is no verdict',
  )
  t.match(await verify(id, { level: 'quick' }), { outcome: 'completed' })
  t.match(await call('DELETE', `/${id}`), { status: 200 })
  t.match(await call('POST', `/${id}/verify`), { status: 404 })
})

function writeTo(path: string): string {
  writeFileSync(path, '')
  return path
}

t.test('a service that stops: the verify is over, and nobody takes it up', async (t) => {
  const { service, call, id, backup, folder } = await scene(t)
  truncateSync(writeTo(`${backup}/data/hole.bin`), 64 * 2 ** 30)
  sealAnew(backup, ({ files }) => {
    files.push({ path: 'hole.bin', size_bytes: 64 * 2 ** 30, sha256: '0'.repeat(64) })
  })
  const { json } = await call('POST', `/${id}/verify`)
  await service.close()
  const again = await startTestService(t, { folder })
  t.match((await again.call('GET', `/operations/${json.operation_id}`)).json, {
    outcome: 'interrupted',
    resumable: false,
    verified: null,
  })
  t.match(await again.call('POST', `/operations/${json.operation_id}/resume`), { status: 400 })
})

t.test('what is asked wrong', async (t) => {
  const { call, id } = await scene(t)
  for (const body of [{ level: 'deeper' }, { level: 1 }, { target: 7 }, [], 'full'])
    t.match(await call('POST', `/${id}/verify`, body), { status: 400 }, JSON.stringify(body))
  t.match(await call('POST', `/${id}/verify`, { target: 'nowhere' }), {
    status: 400,
    json: { error: /unknown target/ },
  })
  t.match(await call('POST', '/nonsense/verify'), { status: 400 })
  t.match(await call('GET', `/${id}/verify`), { status: 405 })
  t.match(await call('POST', `/${id}/verify`, undefined, { authorization: '' }), { status: 401 })
})

for (const kind of ['local', 's3', 'azure'] as const) {
  t.test(`backups on ${kind}`, async (t) => {
    const folder = t.testdir({})
    copyFixture(folder)
    const { place, lines } = await makePlace(t, kind, `${folder}/elsewhere`)
    const own = folderPlace(`${folder}/data/backups/${arcBackupId}`)
    for (const path of Object.keys(await own.tree())) await place.put(`${arcBackupId}/${path}`, await own.get(path))
    writeFileSync(
      `${folder}/arc.toml`,
      [
        ...['[auth]', 'enabled = true', 'db_path = "./data/arc.db"', '[storage]', 'local_path = "./data/arc"'],
        ...['[backup]', 'local_path = ""', 'default_target = "there"', '[backup.targets.there]', ...lines],
      ].join('\n'),
    )
    const { run, verify, call } = verifying(await startTestService(t, { folder }))
    const id = String((await run('', { include_config: true })).backup_id)
    const whole = { outcome: 'completed', target: 'there', ...sound }
    for (const level of ['quick', 'full', 'deep']) t.match(await verify(id, { level }), { ...whole, verified: level })

    const data = namesOf(await place.get(`${id}/manifest-files.json`))
    const [first = '', second = ''] = data
    for (const path of [first, 'metadata/arc.db', 'config/arc.toml', 'manifest.json', 'manifest-files.json']) {
      const content = await place.get(`${id}/${path}`)
      await place.put(`${id}/${path}`, flipped(content, anyBit(content)))
      const ended = await verify(id)
      t.match(ended, { ...damaged, damaged_files: 1, damaged_sample: [{ path }] }, path)
      await place.put(`${id}/${path}`, content)
    }
    await place.remove(`${id}/${second}`)
    await place.put(`${id}/data/too/much.parquet`, Buffer.from('x'))
    t.match(await verify(id, { level: 'quick' }), {
      ...damaged,
      damaged_files: 0,
      missing_sample: [{ path: second }],
      unexpected_sample: [{ path: 'data/too/much.parquet' }],
    })

    for (const level of ['quick', 'full', 'deep']) {
      const ended = await verify(arcBackupId, { level })
      t.match(ended, { ...whole, verified: level, warnings: [/nothing vouches/] }, `Arc's own, ${level}`)
    }
    const [arcs = ''] = Object.keys(await own.tree()).filter((path) => path.endsWith('.parquet'))
    const content = await own.get(arcs)
    // The length of the footer: nothing but Parquet itself can tell, where there is no hash.
    await place.put(`${arcBackupId}/${arcs}`, flipped(content, content.length * 8 - 36))
    t.match(await verify(arcBackupId), { ...damaged, damaged_sample: [{ path: arcs, message: /Parquet/ }] })
    await place.remove(`${arcBackupId}/${arcs}`)
    await place.remove(`${arcBackupId}/metadata/arc.db`)
    t.match(await verify(arcBackupId, { level: 'quick' }), {
      ...damaged,
      missing_files: 2,
      missing_sample: [{ path: arcs.split('/').slice(0, 3).join('/') }, { path: 'metadata/arc.db' }],
    })
    const { backups } = (await call('GET', '')).json as { backups: Json[] }
    t.match(backups, [
      { backup_id: id, verified: 'damaged' },
      { backup_id: arcBackupId, verified: 'damaged' },
    ])
  })
}

async function makePlace(
  t: Test,
  kind: 'local' | 's3' | 'azure',
  root: string,
): Promise<{ place: Place; lines: string[] }> {
  if (kind === 'local') return { place: folderPlace(root), lines: ['type = "local"', `local_path = "${root}"`] }
  if (kind === 's3') {
    const minio = await startMinio(t)
    const { bucket } = await minio.bucket()
    const { accessKeyId, secretAccessKey } = minio.credentials
    const lines = [
      'type = "minio"',
      `s3_bucket = "${bucket}"`,
      's3_prefix = "some/where"',
      `s3_endpoint = "127.0.0.1:${minio.port}"`,
      's3_use_ssl = false',
      's3_path_style = true',
      `s3_access_key = "${accessKeyId}"`,
      `s3_secret_key = "${secretAccessKey}"`,
    ]
    return { place: bucketPlace(minio, bucket, 'some/where/'), lines }
  }
  const azurite = await Azurite.start(t)
  const container = await azurite.container()
  const lines = [
    'type = "azure"',
    `azure_container = "${container.containerName}"`,
    'azure_prefix = "some/where"',
    `azure_connection_string = "${azurite.connectionString}"`,
  ]
  return { place: containerPlace(container, 'some/where/'), lines }
}

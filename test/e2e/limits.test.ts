import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startMinio } from '../servers/minio.js'
import { type Plan, startProxy } from '../servers/proxy.js'
import { type Json, startTestService, type TestService } from '../support/service.js'

// A whole service with little of the machine: what it moves a second, and how many files it has in flight, as its API says.

const mb = 1_000_000
t.setTimeout(120_000)
const minio = await startMinio(t)

interface Options {
  readonly settings: readonly string[]
  /** Sizes of Arc's files. */
  readonly sizes: readonly number[]
  /** Backups go to MinIO, past a proxy. */
  readonly plan?: Plan
}

async function prepare(t: Test, { settings, sizes, plan }: Options): Promise<TestService & { plan: Plan }> {
  const folder = t.testdir({})
  const data = `${folder}/data/arc/db/m/2026/01/01/00`
  mkdirSync(data, { recursive: true })
  for (const [index, size] of sizes.entries()) {
    writeFileSync(`${data}/${index}.parquet`, `file ${index}`)
    truncateSync(`${data}/${index}.parquet`, size)
  }
  const config = ['[auth]', 'enabled = false', '[backup]', 'workers = 2', ...settings]
  const proxy = plan && (await startProxy(t, minio.port, plan))
  if (proxy) {
    const { bucket } = await minio.bucket()
    const { accessKeyId, secretAccessKey } = minio.credentials
    config.push('local_path = ""', 'default_target = "there"', '[backup.targets.there]', 'type = "s3"')
    config.push(`s3_bucket = "${bucket}"`, `s3_endpoint = "${proxy.url.slice(7)}"`, 's3_use_ssl = false')
    config.push('s3_path_style = true', `s3_access_key = "${accessKeyId}"`, `s3_secret_key = "${secretAccessKey}"`)
  }
  writeFileSync(`${folder}/arc.toml`, config.join('\n'))
  const service = await startTestService(t, { folder, empty: true })
  return { ...service, plan: proxy?.plan ?? {} }
}

async function bytesIn(service: TestService, ms: number): Promise<{ bytes: number; rate: number }> {
  const read = async (): Promise<[number, number]> => {
    const { json } = await service.call('GET', '/status')
    return [Number(json.processed_bytes), performance.now()]
  }
  const before = await read()
  await sleep(ms)
  const after = await read()
  const bytes = after[0] - before[0]
  return { bytes, rate: (bytes * 1000) / (after[1] - before[1]) }
}

t.test('a bandwidth limit holds for backup, verify and restore, and changes while they run', async (t) => {
  const sizes = [...Array.from({ length: 4 }, () => 24 << 20), ...Array.from({ length: 400 }, () => 16 << 10)]
  const service = await prepare(t, { settings: ['bandwidth_limit = "10MB/s"'], sizes })
  const { call } = service
  const started = await call('POST', '', {})
  // The threads take their time to start.
  while (Number((await call('GET', '/status')).json.processed_bytes) === 0) await sleep(20)
  await sleep(300)
  // What is counted comes by the MiB, from each of two threads.
  const slack = 2 * mb
  const slow = await bytesIn(service, 2000)
  t.ok(Math.abs(slow.bytes - 20 * mb) <= slack + 0.1 * 20 * mb, `${slow.rate} bytes a second of 10 MB`)
  const changed = await call('PATCH', '/limits', { bandwidth_limit: '25MB/s' })
  t.match(changed.json, { bandwidth_limit: '25MB/s' })
  const faster = await bytesIn(service, 1500)
  t.ok(faster.bytes <= 37.5 * mb + slack + 0.2 * 25 * mb, `${faster.rate} bytes a second of 25 MB`)
  t.ok(faster.bytes >= 0.7 * 37.5 * mb - slack, `${faster.rate} bytes a second of 25 MB`)
  await call('PATCH', '/limits', { bandwidth_limit: null })
  t.match(await service.settled(), { outcome: 'completed', processed_files: 404 })

  const id = String(started.json.backup_id)
  await call('PATCH', '/limits', { bandwidth_limit: '10MB/s' })
  const verify = await call('POST', `/${id}/verify`, {})
  const verifying = `/operations/${verify.json.operation_id}`
  await sleep(2000)
  const read = Number((await call('GET', verifying)).json.processed_bytes)
  t.ok(read > 10 * mb && read <= 20 * mb + 0.2 * 10 * mb + slack, `${read} bytes read in two seconds`)
  await call('PATCH', '/limits', { bandwidth_limit: 'none' })
  for (;;) {
    const { json } = await call('GET', verifying)
    if (json.status !== 'running') {
      t.match(json, { verified: 'full' })
      break
    }
    await sleep(10)
  }

  await call('PATCH', '/limits', { bandwidth_limit: '64KB/s' })
  await call('POST', '/restore', { backup_id: id, confirm: true, restore_metadata: false })
  await sleep(500)
  const began = performance.now()
  await call('POST', '/cancel')
  t.match(await service.settled(), { outcome: 'cancelled' })
  t.ok(performance.now() - began < 2000, 'who waits for its turn sees a cancel')
})

t.test('a store that asks for less is given fewer files at once', async (t) => {
  const sizes = Array.from({ length: 600 }, () => 4 << 10)
  const service = await prepare(t, { settings: [], sizes, plan: { latencyMs: 10, unavailableEvery: 40 } })
  await service.call('POST', '', {})
  const seen: { store: string; files: number; limit: number }[] = []
  for (;;) {
    const { json } = await service.call('GET', '/status')
    if (json.status !== 'running') {
      t.match(json, { outcome: 'completed', processed_files: 600 })
      t.notHas(json, 'in_flight', 'nothing is in flight any more')
      break
    }
    for (const flight of (json.in_flight ?? []) as typeof seen) seen.push(flight)
    if (seen.some(({ limit }) => limit < 16)) delete service.plan.unavailableEvery
    await sleep(50)
  }
  t.same([...new Set(seen.map(({ store }) => store))], ['target:there'])
  t.ok(
    seen.some(({ files }) => files > 1),
    'several at once',
  )
  t.ok(
    seen.some(({ limit }) => limit < 16),
    'more than once half of it',
  )
})

t.test('with little memory files of any size go all the same', async (t) => {
  const sizes = [
    40 << 20,
    17 << 20,
    ...Array.from({ length: 8 }, () => 6 << 20),
    ...Array.from({ length: 50 }, () => 5000),
  ]
  const service = await prepare(t, { settings: ['memory_limit = "16MiB"'], sizes, plan: {} })
  const status: Json = await service.run('', {})
  t.match(status, { outcome: 'completed', processed_files: sizes.length })
  const restored = await service.run('/restore', {
    backup_id: status.backup_id,
    confirm: true,
    restore_metadata: false,
  })
  t.match(restored, { outcome: 'completed', verified: true })
})

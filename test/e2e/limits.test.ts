import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startMinio } from '../servers/minio.js'
import { type Plan, startProxy } from '../servers/proxy.js'
import { mountTmpfs } from '../support/mount.js'
import { type Json, startTestService, type TestService } from '../support/service.js'

// A whole service with little of the machine: what it moves a second, and how many files it has in flight, as its API says.

const mb = 1_000_000
t.setTimeout(600_000)
const minio = await startMinio(t)

interface Options {
  readonly settings: readonly string[]
  /** Sizes of Arc's files. */
  readonly sizes: readonly number[]
  /** Backups go to MinIO, past a proxy. */
  readonly plan?: Plan
}

async function prepare(t: Test, { settings, sizes, plan }: Options): Promise<TestService & { plan: Plan }> {
  // In memory: what is measured is not how fast a disk is.
  const folder = mountTmpfs(t, '512m')
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

/** Bytes a second, over so many ms or a little more. */
async function rateOver(service: TestService, ms: number): Promise<number> {
  const read = async (): Promise<[number, number]> => {
    const { json } = await service.call('GET', '/status')
    return [Number(json.processed_bytes), performance.now()]
  }
  const before = await read()
  await sleep(ms)
  const after = await read()
  return ((after[0] - before[0]) * 1000) / (after[1] - before[1])
}

t.test('a bandwidth limit holds for backup, verify and restore, and changes while they run', async (t) => {
  const sizes = [...Array.from({ length: 4 }, () => 24 << 20), ...Array.from({ length: 400 }, () => 16 << 10)]
  const service = await prepare(t, { settings: ['bandwidth_limit = "10MB/s"'], sizes })
  const { call } = service
  const started = await call('POST', '', {})
  // The threads take their time to start.
  while (Number((await call('GET', '/status')).json.processed_bytes) === 0) await sleep(20)
  await sleep(300)
  // What is counted comes by the MiB, from each of two threads: that is 1 MB/s of the tolerance.
  const slow = await rateOver(service, 2000)
  t.ok(slow >= 8 * mb && slow <= 12 * mb, `${slow} bytes a second of 10 MB`)
  const changed = await call('PATCH', '/limits', { bandwidth_limit: '25MB/s' })
  t.match(changed.json, { bandwidth_limit: '25MB/s' })
  const faster = await rateOver(service, 1500)
  t.ok(faster >= 16 * mb && faster <= 30 * mb, `${faster} bytes a second of 25 MB`)
  await call('PATCH', '/limits', { bandwidth_limit: null })
  t.match(await service.settled(), { outcome: 'completed', processed_files: 404 })

  const id = String(started.json.backup_id)
  await call('PATCH', '/limits', { bandwidth_limit: '10MB/s' })
  const asked = performance.now()
  const verify = await call('POST', `/${id}/verify`, {})
  const verifying = `/operations/${verify.json.operation_id}`
  await sleep(2000)
  const read = Number((await call('GET', verifying)).json.processed_bytes)
  const reading = (read * 1000) / (performance.now() - asked)
  t.ok(reading >= 4 * mb && reading <= 12 * mb, `${reading} bytes a second of 10 MB`)
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
  t.ok(performance.now() - began < 10_000, 'who waits for its turn sees a cancel')
})

t.test('a store that asks for less is given fewer files at once', async (t) => {
  const sizes = Array.from({ length: 600 }, () => 4 << 10)
  const service = await prepare(t, { settings: [], sizes, plan: { latencyMs: 40, unavailableEvery: 40 } })
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

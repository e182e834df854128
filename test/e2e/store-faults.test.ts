import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { type Proxy as Between, type Plan, startProxy } from '../servers/proxy.js'
import { bucketPlace, containerPlace, type Place } from '../support/place.js'
import { type Json, startTestService, type TestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

// A whole service whose backups go to a store that fails in every way: each operation ends in a true state and says what was wrong.

t.setTimeout(900_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t)

interface Ground extends TestService {
  readonly proxy: Between
  readonly place: Place
  readonly arc: string
  readonly secret: string
  /** Nothing of a failed backup is there, once the store answers. */
  isClean(): Promise<void>
}

interface Kind {
  readonly secret: string
  open(t: Test, plan: Plan): Promise<{ place: Place; lines: string[]; proxy: Between }>
  /** The server gives no answer until it is told to. */
  away(): Promise<() => Promise<void>>
}

const s3: Kind = {
  secret: minio.credentials.secretAccessKey,
  open: async (t, plan) => {
    const proxy = await startProxy(t, minio.port, plan)
    const { bucket } = await minio.bucket()
    const { accessKeyId, secretAccessKey } = minio.credentials
    const lines = [
      ...['type = "s3"', `s3_bucket = "${bucket}"`, `s3_endpoint = "${proxy.url.slice(7)}"`, 's3_use_ssl = false'],
      ...['s3_path_style = true', `s3_access_key = "${accessKeyId}"`, `s3_secret_key = "${secretAccessKey}"`],
    ]
    return { place: bucketPlace(minio, bucket), lines, proxy }
  },
  away: async () => {
    await minio.kill()
    return () => minio.start()
  },
}

const azure: Kind = {
  secret: azurite.accountKey,
  open: async (t, plan) => {
    const proxy = await startProxy(t, azurite.port, plan)
    const container = await azurite.container()
    const lines = [
      ...['type = "azure"', `azure_container = "${container.containerName}"`],
      ...[`azure_endpoint = "${proxy.url}/${azurite.account}"`, `azure_account_name = "${azurite.account}"`],
      `azure_account_key = "${azurite.accountKey}"`,
    ]
    return { place: containerPlace(container), lines, proxy }
  },
  // It keeps its data in memory: it stands still instead of dying.
  away: async () => {
    const { pid = 0 } = azurite
    process.kill(pid, 'SIGSTOP')
    return async () => void process.kill(pid, 'SIGCONT')
  },
}

/** An Arc with small files and a large one, and a target behind a proxy. */
async function prepare(
  t: Test,
  kind: Kind,
  plan: Plan = {},
  change = (line: string): string => line,
  stallTimeout = '2s',
): Promise<Ground> {
  const folder = t.testdir({})
  const arc = `${folder}/data/arc`
  mkdirSync(`${arc}/db/m`, { recursive: true })
  for (let index = 0; index < 60; index += 1) writeFileSync(`${arc}/db/m/${index}.parquet`, `file ${index}`)
  writeFileSync(`${arc}/db/m/large.parquet`, Buffer.alloc(40 << 20, 'large'))
  const { place, lines, proxy } = await kind.open(t, plan)
  const config = [
    ...['[auth]', 'enabled = false', '[backup]', 'local_path = ""', 'default_target = "there"'],
    ...['retry_timeout = "8s"', `stall_timeout = "${stallTimeout}"`, '[backup.targets.there]', ...lines.map(change)],
  ]
  writeFileSync(`${folder}/arc.toml`, config.join('\n'))
  const service = await startTestService(t, { folder })
  const isClean = async (): Promise<void> => {
    await service.service.coordinator.idle()
    await service.service.coordinator.sweep(false)
    const names = Object.keys(await place.tree()).filter(
      (path) => path.includes('/') && !path.endsWith('/manifest.json'),
    )
    t.same(names, [])
    t.same(minio.uploads(), [], 'no upload in parts')
  }
  return { ...service, proxy, place, arc, secret: kind.secret, isClean }
}

async function isWhole(t: Test, { place, arc }: Ground, { backup_id: id }: Json): Promise<void> {
  const kept = await place.tree()
  for (const [path, hash] of Object.entries(hashTree(arc))) if (kept[`${id}/data/${path}`] !== hash) t.fail(path)
  t.ok(kept[`${id}/manifest.json`])
}

/** Waits until something has moved. */
async function underWay({ call }: Ground): Promise<void> {
  while (Number((await call('GET', '/status')).json.processed_files) < 3) await sleep(2)
}

for (const [name, kind] of Object.entries({ s3, azure })) {
  const healed: Record<string, Plan> = {
    '503 on every fifth request': { unavailableEvery: 5 },
    'connections cut in the middle of a part': { cutAfterSent: 3 << 20, cuts: 3 },
    'answers cut': { cutAfterReceived: 2 << 20, cuts: 3 },
  }
  for (const [fault, plan] of Object.entries(healed)) {
    t.test(`${name}: ${fault}: backup and restore complete`, async (t) => {
      const ground = await prepare(t, kind, { ...plan })
      const backup = await ground.run('', { include_metadata: false })
      t.match(backup, { outcome: 'completed', processed_files: 61, skipped_files: 0 })
      await isWhole(t, ground, backup)
      const before = hashTree(ground.arc)
      rmSync(`${ground.arc}/db`, { recursive: true })
      Object.assign(ground.proxy.plan, plan)
      const restore = await ground.run('/restore', {
        backup_id: backup.backup_id,
        confirm: true,
        restore_metadata: false,
      })
      t.match(restore, { outcome: 'completed', verified: true, processed_files: 61 })
      t.same(hashTree(ground.arc), before)
    })
  }

  t.test(`${name}: a server that stalls, and one that is gone for a while, is waited for`, async (t) => {
    const ground = await prepare(t, kind, { stallAfterSent: 1 << 20 })
    await ground.call('POST', '', { include_metadata: false })
    await underWay(ground)
    delete ground.proxy.plan.stallAfterSent
    const stalled = await ground.settled()
    t.match(stalled, { outcome: 'completed' })
    await isWhole(t, ground, stalled)

    ground.proxy.plan.bytesPerSecond = 8 << 20
    await ground.call('POST', '', { include_metadata: false })
    await underWay(ground)
    const back = await kind.away()
    await sleep(3000)
    await back()
    delete ground.proxy.plan.bytesPerSecond
    const completed = await ground.settled()
    t.match(completed, { outcome: 'completed' })
    await isWhole(t, ground, completed)
  })

  t.test(`${name}: a cancel does not wait for a server that stands still`, async (t) => {
    const ground = await prepare(t, kind, {}, undefined, '60s')
    const { proxy, arc } = ground
    const whole = await ground.run('', { include_metadata: false })
    const before = hashTree(arc)
    const stalls: Record<string, [Plan, path: '' | '/restore', request: Json]> = {
      'a backup, in its large file': [{ stallAfterSent: 8 << 20 }, '', { include_metadata: false, incremental: false }],
      'a restore, in its large file': [{ stallAfterReceived: 8 << 20 }, '/restore', { ...whole, confirm: true }],
    }
    for (const [what, [plan, path, request]] of Object.entries(stalls)) {
      if (path === '/restore') rmSync(`${arc}/db/m/large.parquet`)
      Object.assign(proxy.plan, plan)
      const { backup_id, confirm, ...rest } = request
      const body = path === '/restore' ? { backup_id, confirm, restore_metadata: false } : rest
      t.equal((await ground.call('POST', path, body)).status, 202)
      await sleep(3000)
      t.match((await ground.call('GET', '/status')).json, { status: 'running' }, what)
      t.equal((await ground.call('POST', '/cancel')).status, 202)
      const asked = Date.now()
      // What is cleaned up then needs a server that answers; connections that stand still do so for ever.
      for (const key of Object.keys(plan)) Reflect.deleteProperty(proxy.plan, key)
      t.match(await ground.settled(), { status: 'failed', outcome: 'cancelled' }, what)
      t.ok(Date.now() - asked < 2000, `${what}: after ${Date.now() - asked} ms`)
      if (path === '/restore') {
        t.notOk(hashTree(arc)['db/m/large.parquet'])
        continue
      }
      t.same(hashTree(arc), before)
      t.same(
        [...new Set(Object.keys(await ground.place.tree()).map((name) => name.split('/')[0]))].filter((name) =>
          name?.startsWith('backup-'),
        ),
        [whole.backup_id],
        what,
      )
      t.same(minio.uploads(), [], 'no upload in parts')
    }
  })

  t.test(`${name}: a server that does not come back: failed in time, and nothing is left once it does`, async (t) => {
    const ground = await prepare(t, kind, { bytesPerSecond: 8 << 20 })
    await ground.call('POST', '', { include_metadata: false })
    await underWay(ground)
    const back = await kind.away()
    const began = Date.now()
    const failed = await ground.settled()
    t.ok(Date.now() - began < 120_000, 'in the time for retries of the copying, the cleaning and the lock')
    t.match(failed, {
      outcome: 'failed',
      error: new RegExp(`${name}:`),
      error_code: /STORE_(UNREACHABLE|TIMEOUT)|LOCK_LOST/,
    })
    t.notMatch(JSON.stringify(failed), ground.secret)
    await back()
    delete ground.proxy.plan.bytesPerSecond
    await ground.isClean()
    t.same((await ground.call('GET', '')).json.count, 0)
  })

  const refused: Record<string, (line: string) => string> = {
    'a wrong key': (line) =>
      line.replace(
        /^(s3_secret_key|azure_account_key) = .*/,
        (_, key) => `${key} = "${Buffer.alloc(32, 7).toString('base64')}"`,
      ),
    'a bucket that does not exist': (line) => line.replace(/^(s3_bucket|azure_container) = .*/, '$1 = "there-is-none"'),
  }
  for (const [fault, change] of Object.entries(refused)) {
    t.test(`${name}: ${fault}: failed at once, and said so`, async (t) => {
      const ground = await prepare(t, kind, {}, change)
      const failed = await ground.run('', { include_metadata: false })
      t.match(failed, { outcome: 'failed', error_code: fault === 'a wrong key' ? 'STORE_AUTH' : 'BUCKET_NOT_FOUND' })
      t.match(failed.error, new RegExp(`${name}:`), 'it names the target')
      t.notMatch(JSON.stringify(failed), ground.secret)
      t.equal((await ground.call('GET', '')).status >= 500, true)
    })
  }
}

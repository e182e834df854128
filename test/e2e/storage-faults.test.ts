import { mkdirSync, rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import {
  type Credentials,
  type FaultyKind,
  faultyKinds,
  type Ground,
  type GroundOptions,
  largeBytes,
  prepareGround,
  sasOf,
  underWay,
} from '../support/faulty-ground.js'
import type { Json } from '../support/service.js'

// Arc's own data is in a store that fails in every way, and that Arc writes to meanwhile: what is said of a backup and of a restore is true.

t.setTimeout(900_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t, t.testdir({}))
const dataOnly = { include_metadata: false, incremental: false }
const restoreOf = (id: unknown) => ({ backup_id: id, confirm: true, restore_metadata: false })

const prepare = (t: Test, kind: FaultyKind, options: Omit<GroundOptions, 'as'> = {}): Promise<Ground> =>
  prepareGround(t, minio, kind, { as: 'storage', ...options })

/** Data only: the lock of a place is an object there. */
async function dataIn({ storage }: Ground): Promise<Record<string, string>> {
  const { '.arc-backup.lock.json': _, ...data } = await storage.tree()
  return data
}

/** What runs ends as failed while the store is away: soon, naming it, and without its secret. */
async function failsInTime(t: Test, { kind, settled }: Ground): Promise<void> {
  const began = Date.now()
  const failed = await settled()
  t.ok(Date.now() - began < 20_000, `after ${Date.now() - began} ms`)
  t.match(failed, {
    outcome: 'failed',
    error: new RegExp(`${kind.name}:`),
    error_code: /STORE_(UNREACHABLE|TIMEOUT)|LOCK/,
  })
  t.notMatch(JSON.stringify(failed), kind.secret)
}

for (const kind of faultyKinds(minio, azurite)) {
  const { name } = kind

  t.test(`${name}: requests refused, connections cut: backup and restore complete`, async (t) => {
    const ground = await prepare(t, kind, { plan: { unavailableEvery: 5, cutAfterReceived: 3 << 20, cuts: 3 } })
    const backup = await ground.run('', dataOnly)
    t.match(
      backup,
      { outcome: 'completed', processed_files: 61, skipped_files: 0, processed_bytes: largeBytes + 410 },
      String(backup.error),
    )
    await ground.isWhole(backup)
    const before = await dataIn(ground)
    for (const path of Object.keys(before)) await ground.storage.remove(path)
    delete ground.proxy.plan.cutAfterReceived
    Object.assign(ground.proxy.plan, { cutAfterSent: 3 << 20, cuts: 3 })
    const restore = await ground.run('/restore', restoreOf(backup.backup_id))
    t.match(
      restore,
      { outcome: 'completed', verified: true, processed_files: 61, processed_bytes: largeBytes + 410 },
      String(restore.error),
    )
    t.same(await dataIn(ground), before)
  })

  t.test(`${name}: what Arc deletes and overwrites between list and read, and answers that are cut`, async (t) => {
    const ground = await prepare(t, kind)
    const change: Record<string, () => Promise<void>> = {
      'm/7.parquet': () => ground.storage.remove('db/m/7.parquet'),
      'm/8.parquet': () => ground.storage.put('db/m/8.parquet', Buffer.from('another file 8')),
      'm/large.parquet': () => ground.storage.put('db/m/large.parquet', Buffer.alloc(12 << 20, 'other')),
    }
    ground.proxy.plan.before = async (request) => {
      const [found] = Object.keys(change).filter((path) => request.startsWith('GET') && request.includes(path))
      if (found === undefined) return
      const action = change[found]
      delete change[found]
      await action?.()
    }
    ground.proxy.plan.shorten = { of: 'm/9.parquet', to: 3, times: 2 }
    const backup = await ground.run('', dataOnly)
    t.same([change, ground.proxy.plan.shorten.times], [{}, 0], 'all of it happened')
    t.match(backup, { outcome: 'completed', total_files: 60, processed_files: 60, skipped_files: 0 })
    await ground.isWhole(backup)
    const kept = Object.keys(await ground.target.tree()).filter((path) => path.includes('/data/'))
    t.equal(kept.length, 60, 'what is gone is not in the backup')
    const { json } = await ground.call('POST', `/${backup.backup_id}/verify`, { level: 'full' })
    t.match(await ended(ground, json), { outcome: 'completed' }, 'and every file has the hash that is on record')
  })

  t.test(`${name}: a listing that is cut is listed again, or no backup`, async (t) => {
    const ground = await prepare(t, kind)
    const listing = name === 's3' ? 'list-type=2' : 'comp=list'
    ground.proxy.plan.shorten = { of: listing, to: 4000, times: 2 }
    const backup = await ground.run('', dataOnly)
    t.match(backup, { outcome: 'completed', processed_files: 61, skipped_files: 0 })
    await ground.isWhole(backup)
    ground.proxy.plan.shorten = { of: listing, to: 4000 }
    t.match(await ground.run('', dataOnly), {
      outcome: 'failed',
      error_code: 'STORE_UNREACHABLE',
      error: /cannot list .*not whole/,
    })
    delete ground.proxy.plan.shorten
    await ground.isClean()
  })

  t.test(`${name}: a large answer that is cut, and says that it is whole, is asked for again`, async (t) => {
    const ground = await prepare(t, kind)
    const shorten = { of: 'm/large.parquet', to: 5 << 20, times: 1 }
    ground.proxy.plan.shorten = shorten
    const backup = await ground.run('', dataOnly)
    t.equal(shorten.times, 0, 'it happened')
    t.match(backup, { outcome: 'completed', processed_bytes: largeBytes + 410, skipped_files: 0 }, String(backup.error))
    await ground.isWhole(backup)
  })

  t.test(
    `${name}: a server that stalls, or goes away, in a backup: completed once it is back, failed where it is not`,
    async (t) => {
      const ground = await prepare(t, kind)
      const begin = async (): Promise<void> => {
        ground.proxy.plan.stallAfterReceived = 10 << 20
        await ground.call('POST', '', dataOnly)
        await underWay(ground)
      }
      const completes = async (): Promise<unknown> => {
        const backup = await ground.settled()
        t.match(backup, { outcome: 'completed', processed_files: 61, skipped_files: 0 }, String(backup.error))
        await ground.isWhole(backup)
        return backup.backup_id
      }
      await begin()
      delete ground.proxy.plan.stallAfterReceived
      const whole = [await completes()]

      await begin()
      let back = await kind.away()
      delete ground.proxy.plan.stallAfterReceived
      setTimeout(() => void back(), 5000)
      whole.push(await completes())

      await begin()
      back = await kind.away()
      await failsInTime(t, ground)
      await back()
      delete ground.proxy.plan.stallAfterReceived
      await ground.becomesClean()
      const { backups } = (await ground.call('GET', '')).json as { backups: { backup_id: unknown }[] }
      t.same(backups.map(({ backup_id: id }) => id).sort(), whole.sort())
    },
  )

  t.test(
    `${name}: a server that goes away in a restore: completed once it is back, failed where it is not`,
    async (t) => {
      const ground = await prepare(t, kind)
      const { backup_id: id } = await ground.run('', dataOnly)
      const before = await dataIn(ground)
      const begin = async (): Promise<() => Promise<void>> => {
        for (const path of Object.keys(await dataIn(ground))) await ground.storage.remove(path)
        ground.proxy.plan.bytesPerSecond = 8 << 20
        await ground.call('POST', '/restore', restoreOf(id))
        await underWay(ground)
        return kind.away()
      }
      let back = await begin()
      setTimeout(() => void back(), 3000)
      t.match(await ground.settled(), { outcome: 'completed', verified: true })
      t.same(await dataIn(ground), before)

      back = await begin()
      await failsInTime(t, ground)
      await back()
      delete ground.proxy.plan.bytesPerSecond
      await ground.becomesClean()
      const there = await dataIn(ground)
      for (const [path, hash] of Object.entries(there)) t.equal(hash, before[path], 'no half file')
    },
  )

  t.test(`${name}: what the backup lacks is removed last of all, and only beside a whole backup`, async (t) => {
    const ground = await prepare(t, kind)
    await ground.storage.put('other/m/1.parquet', Buffer.from('1'))
    const { backup_id: id } = await ground.run('', { ...dataOnly, include_config: true })
    for (const path of ['db/m/extra.parquet', 'other/m/extra.parquet']) {
      await ground.storage.put(path, Buffer.from('not in the backup'))
    }
    const extras = async (): Promise<number> =>
      Object.keys(await dataIn(ground)).filter((path) => path.includes('extra')).length
    rmSync(`${ground.folder}/arc.toml`)
    mkdirSync(`${ground.folder}/arc.toml`)
    const replace = { ...restoreOf(id), mode: 'replace' }
    t.match(await ground.run('/restore', { ...replace, restore_config: true }), {
      outcome: 'failed',
      replaced_files: 0,
    })
    t.equal(await extras(), 2, 'the configuration could not be put in its place')
    const lost = await ground.target.get(`${id}/data/db/m/0.parquet`)
    await ground.target.remove(`${id}/data/db/m/0.parquet`)
    await ground.storage.remove('db/m/0.parquet')
    const incomplete = await ground.run('/restore', replace)
    t.match(incomplete, { outcome: 'failed', missing_files: 1, replaced_files: 0, kept_files: 2 })
    t.match(incomplete.warnings, [/nothing was removed in any database, because files of the backup are missing/])
    t.equal(await extras(), 2)
    await ground.target.put(`${id}/data/db/m/0.parquet`, lost)
    t.match(await ground.run('/restore', replace), { outcome: 'completed', replaced_files: 2, kept_files: 0 })
    t.equal(await extras(), 0)
  })

  t.test(`${name}: credentials that are wrong, at their end, or for reading only`, async (t) => {
    const ground = await prepare(t, kind)
    const { backup_id: id } = await ground.run('', dataOnly)
    await ground.storage.put('db/m/0.parquet', Buffer.from('another'))
    const before = await dataIn(ground)
    const expired: Credentials =
      name === 'azure' ? { keys: { azure_sas_token: await sasOf(azurite, ground.keys, 'rwdl', -1000) } } : {}
    const cases: [string, Credentials, Json, Json][] = [
      ['a wrong key', { keys: kind.wrongKey }, { error_code: 'STORE_AUTH' }, { error_code: 'STORE_AUTH' }],
      [
        'no such bucket',
        { keys: kind.missing },
        { error_code: 'BUCKET_NOT_FOUND' },
        { error_code: 'BUCKET_NOT_FOUND' },
      ],
      [
        'expired',
        expired,
        { error_code: 'STORE_AUTH', error: /expired/ },
        { error_code: 'STORE_AUTH', error: /expired/ },
      ],
      [
        'for reading',
        await kind.reading(ground.keys),
        { outcome: 'completed' },
        { error_code: 'READ_ONLY', error: /cannot write/ },
      ],
    ]
    let again = ground
    for (const [fault, credentials, backup, restore] of cases) {
      again = await again.restart(credentials)
      const body = '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
      if (fault === 'expired' && name === 's3') ground.proxy.plan.refuse = { of: '/', status: 400, body }
      const shown = [await again.run('', dataOnly), await again.run('/restore', { ...restoreOf(id), mode: 'replace' })]
      t.match(shown[0], {
        ...(fault === 'for reading' ? {} : { outcome: 'failed', error: new RegExp(`${name}:`) }),
        ...backup,
      })
      t.match(shown[1], { outcome: 'failed', ...restore })
      for (const secret of [kind.secret, 'sig=', 'SharedKey']) t.notOk(JSON.stringify(shown).includes(secret), fault)
      delete ground.proxy.plan.refuse
      t.same(await dataIn(ground), before, 'nothing has changed')
    }
    await (await again.restart({})).isClean()
  })
}

async function ended({ call }: Ground, { operation_id: id }: Json): Promise<Json> {
  for (;;) {
    const { json } = await call('GET', `/operations/${id}`)
    if (json.status !== 'running') return json
  }
}

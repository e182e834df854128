import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import type { Plan } from '../servers/proxy.js'
import {
  type FaultyKind,
  faultyKinds,
  type Ground,
  type GroundOptions,
  prepareGround,
  sasOf,
  underWay,
} from '../support/faulty-ground.js'

// A whole service whose backups go to a store that fails in every way: each operation ends in a true state and says what was wrong.

t.setTimeout(900_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t, t.testdir({}))
const dataOnly = { include_metadata: false, incremental: false }
const slow = 8 << 20

const prepare = (t: Test, kind: FaultyKind, options: Omit<GroundOptions, 'as'> = {}): Promise<Ground> =>
  prepareGround(t, minio, kind, { as: 'target', ...options })

/** Removes all of Arc's data, and answers what it was. */
async function loseAll({ storage }: Ground): Promise<Record<string, string>> {
  const before = await storage.tree()
  for (const path of Object.keys(before)) await storage.remove(path)
  return before
}

/** The same service, with credentials that end in a moment, and one file after another: with 200 ms for a request it takes twelve seconds. */
async function ending(ground: Ground): Promise<Ground> {
  const soon = 5000
  const env = { ARC_BACKUP_WORKERS: '1', ARC_BACKUP_TRANSFERS: '1' }
  if (ground.kind.name === 'azure') {
    return ground.restart({ env, keys: { azure_sas_token: await sasOf(azurite, ground.keys, 'rwdl', soon) } })
  }
  const slow = await ground.restart({ env })
  // MinIO's own live for a quarter of an hour at least.
  const body = '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
  setTimeout(() => Object.assign(ground.proxy.plan, { refuse: { of: '/', status: 400, body } }), soon)
  return slow
}

async function renewed(ground: Ground): Promise<Ground> {
  delete ground.proxy.plan.before
  delete ground.proxy.plan.refuse
  return ground.restart({})
}

const filesIn = (tree: Record<string, string>): string[] => Object.keys(tree).filter((path) => !path.endsWith('/'))
const restoreOf = (id: unknown) => ({ backup_id: id, confirm: true, restore_metadata: false })

for (const kind of faultyKinds(minio, azurite)) {
  const { name } = kind
  const healed: Record<string, Plan> = {
    '503 on every fifth request': { unavailableEvery: 5 },
    'connections cut in the middle of a part': { cutAfterSent: 3 << 20, cuts: 3 },
    'answers cut': { cutAfterReceived: 2 << 20, cuts: 3 },
  }
  for (const [fault, plan] of Object.entries(healed)) {
    t.test(`${name}: ${fault}: backup and restore complete`, async (t) => {
      const ground = await prepare(t, kind, { plan: { ...plan } })
      const backup = await ground.run('', dataOnly)
      t.match(backup, { outcome: 'completed', processed_files: 61, skipped_files: 0 })
      await ground.isWhole(backup)
      const before = await loseAll(ground)
      Object.assign(ground.proxy.plan, plan)
      const restore = await ground.run('/restore', restoreOf(backup.backup_id))
      t.match(restore, { outcome: 'completed', verified: true, processed_files: 61 })
      t.same(await ground.storage.tree(), before)
    })
  }

  t.test(`${name}: a server that stalls, and one that is gone for a while, is waited for`, async (t) => {
    const ground = await prepare(t, kind, { plan: { stallAfterSent: 1 << 20 } })
    await ground.call('POST', '', dataOnly)
    await underWay(ground)
    delete ground.proxy.plan.stallAfterSent
    const stalled = await ground.settled()
    t.match(stalled, { outcome: 'completed' })
    await ground.isWhole(stalled)

    ground.proxy.plan.bytesPerSecond = slow
    await ground.call('POST', '', dataOnly)
    await underWay(ground)
    const back = await kind.away()
    await sleep(3000)
    await back()
    delete ground.proxy.plan.bytesPerSecond
    const completed = await ground.settled()
    t.match(completed, { outcome: 'completed' })
    await ground.isWhole(completed)
    const before = await loseAll(ground)

    ground.proxy.plan.stallAfterReceived = 10 << 20
    await ground.call('POST', '/restore', restoreOf(completed.backup_id))
    await underWay(ground)
    await sleep(500)
    delete ground.proxy.plan.stallAfterReceived
    const again = await kind.away()
    await sleep(2000)
    await again()
    t.match(await ground.settled(), { outcome: 'completed', verified: true })
    t.same(await ground.storage.tree(), before)
  })

  t.test(`${name}: a large answer that is cut, and says that it is whole, is asked for again`, async (t) => {
    const ground = await prepare(t, kind)
    const { backup_id: id } = await ground.run('', dataOnly)
    const before = await loseAll(ground)
    const shorten = { of: 'm/large.parquet', to: 5 << 20, times: 1 }
    ground.proxy.plan.shorten = shorten
    const restore = await ground.run('/restore', restoreOf(id))
    t.equal(shorten.times, 0, 'it happened')
    t.match(restore, { outcome: 'completed', verified: true, processed_files: 61 }, String(restore.error))
    t.same(await ground.storage.tree(), before)
  })

  t.test(`${name}: a cancel does not wait for a server that stands still`, async (t) => {
    const ground = await prepare(t, kind, { stallTimeout: '60s' })
    const { proxy, storage } = ground
    const { backup_id: whole } = await ground.run('', dataOnly)
    const before = await storage.tree()
    const stalls: Record<string, [Plan, path: '' | '/restore', body: unknown]> = {
      'a backup, in its large file': [{ stallAfterSent: 8 << 20 }, '', dataOnly],
      'a restore, in its large file': [{ stallAfterReceived: 8 << 20 }, '/restore', restoreOf(whole)],
    }
    for (const [what, [plan, path, body]] of Object.entries(stalls)) {
      if (path === '/restore') await storage.remove('db/m/large.parquet')
      Object.assign(proxy.plan, plan)
      t.equal((await ground.call('POST', path, body)).status, 202)
      await sleep(3000)
      t.match((await ground.call('GET', '/status')).json, { status: 'running' }, what)
      t.equal((await ground.call('POST', '/cancel')).status, 202)
      const asked = Date.now()
      // What is cleaned up then needs a server that answers; connections that stand still do so for ever.
      for (const key of Object.keys(plan)) Reflect.deleteProperty(proxy.plan, key)
      t.match(await ground.settled(), { status: 'failed', outcome: 'cancelled' }, what)
      t.ok(Date.now() - asked < 10_000, `${what}: after ${Date.now() - asked} ms`)
      if (path === '/restore') {
        t.notOk((await storage.tree())['db/m/large.parquet'])
        continue
      }
      t.same(await storage.tree(), before)
      const folders = Object.keys(await ground.place.tree()).map((name) => name.split('/')[0])
      t.same(
        [...new Set(folders)].filter((name) => name?.startsWith('backup-')),
        [whole],
        what,
      )
      t.same(minio.uploads(), [], 'no upload in parts')
    }
  })

  t.test(`${name}: a server that does not come back: failed in time, and nothing is left once it does`, async (t) => {
    const ground = await prepare(t, kind)
    const { backup_id: whole } = await ground.run('', dataOnly)
    ground.proxy.plan.bytesPerSecond = slow
    const lost = {
      outcome: 'failed',
      error: new RegExp(`${name}:`),
      error_code: /STORE_(UNREACHABLE|TIMEOUT)|LOCK_LOST/,
    }
    await ground.call('POST', '', dataOnly)
    await underWay(ground)
    let back = await kind.away()
    let began = Date.now()
    const failed = await ground.settled()
    t.comment(`backup failed after ${Date.now() - began} ms`)
    t.ok(Date.now() - began < 20_000, 'in the time for retries of the copying, the cleaning and the lock')
    t.match(failed, lost)
    t.notMatch(JSON.stringify(failed), kind.secret)
    await back()
    await ground.becomesClean()
    t.match((await ground.call('GET', '')).json, { count: 1, backups: [{ backup_id: whole }] })

    const before = await ground.storage.tree()
    await ground.storage.put('db/m/large.parquet', Buffer.from('damaged'))
    const live = await ground.storage.tree()
    ground.proxy.plan.stallAfterReceived = 10 << 20
    await ground.call('POST', '/restore', restoreOf(whole))
    await underWay(ground)
    back = await kind.away()
    began = Date.now()
    const lostRestore = await ground.settled()
    t.comment(`restore failed after ${Date.now() - began} ms`)
    t.ok(Date.now() - began < 20_000)
    t.match(lostRestore, lost)
    t.notMatch(JSON.stringify(lostRestore), kind.secret)
    t.same(await ground.storage.tree(), live, 'no live file was touched, and nothing is left beside them')
    await back()
    delete ground.proxy.plan.stallAfterReceived
    t.match(await ground.run('/restore', restoreOf(whole)), { outcome: 'completed' })
    t.same(await ground.storage.tree(), before)
  })

  t.test(
    `${name}: files of a backup that are deleted or overwritten, and answers that are cut, while it is restored`,
    async (t) => {
      const ground = await prepare(t, kind)
      const { backup_id: id } = await ground.run('', dataOnly)
      const before = await loseAll(ground)
      const change: Record<string, () => Promise<void>> = {
        'm/7.parquet': () => ground.target.remove(`${id}/data/db/m/7.parquet`),
        'm/8.parquet': () => ground.target.put(`${id}/data/db/m/8.parquet`, Buffer.from('FILE 8')),
      }
      ground.proxy.plan.before = async (request) => {
        const [found] = Object.keys(change).filter((path) => request.startsWith('GET') && request.includes(path))
        if (found === undefined) return
        const action = change[found]
        delete change[found]
        await action?.()
      }
      ground.proxy.plan.shorten = { of: 'm/9.parquet', to: 3, times: 1 }
      const restore = await ground.run('/restore', restoreOf(id))
      t.same([change, ground.proxy.plan.shorten.times], [{}, 0], 'all of it happened')
      t.match(restore, { outcome: 'failed', error_code: 'INTEGRITY', missing_files: 2, processed_files: 59 })
      t.same(
        (restore.missing_sample as { path: string; code: string }[]).map(({ path, code }) => `${path} ${code}`).sort(),
        ['db/m/7.parquet STORE_NOT_FOUND', 'db/m/8.parquet INTEGRITY'],
      )
      t.notMatch(JSON.stringify(restore), kind.secret)
      const { 'db/m/7.parquet': _, 'db/m/8.parquet': __, ...rest } = before
      t.same(await ground.storage.tree(), rest, 'everything else is there')
      await ground.isClean()
    },
  )

  t.test(`${name}: credentials that end in the middle`, async (t) => {
    const ground = await prepare(t, kind)
    const { backup_id: id } = await ground.run('', dataOnly)
    const before = await loseAll(ground)
    const restoring = await ending(ground)
    ground.proxy.plan.before = () => sleep(200)
    const restore = await restoring.run('/restore', restoreOf(id))
    const expired = { outcome: 'failed', error_code: 'STORE_AUTH', error: new RegExp(`${name}:.*expired`) }
    t.match(restore, expired)
    t.notMatch(JSON.stringify(restore), /sig=|arc-test-key/)
    t.same(filesIn(await ground.storage.tree()), [], 'nothing is left of it')
    const healthy = await renewed(restoring)
    t.match(await healthy.run('/restore', restoreOf(id)), { outcome: 'completed' })
    t.same(await ground.storage.tree(), before)

    const backingUp = await ending(healthy)
    ground.proxy.plan.before = () => sleep(200)
    // What an earlier backup has would need few requests, and may be done before the end.
    const backup = await backingUp.run('', { ...dataOnly, incremental: false })
    t.match(backup, expired)
    t.notMatch(JSON.stringify(backup), /sig=|arc-test-key/)
    const last = await renewed(backingUp)
    await last.isClean()
    t.match((await last.call('GET', '')).json, { count: 1, backups: [{ backup_id: id }] })
  })

  for (const [fault, keys, code] of [
    ['a wrong key', kind.wrongKey, 'STORE_AUTH'],
    ['a bucket that does not exist', kind.missing, 'BUCKET_NOT_FOUND'],
  ] as const) {
    t.test(`${name}: ${fault}: failed at once, and said so`, async (t) => {
      const ground = await prepare(t, kind, { keys })
      const failed = await ground.run('', dataOnly)
      t.match(failed, { outcome: 'failed', error_code: code })
      t.match(failed.error, new RegExp(`${name}:`), 'it names the target')
      t.notMatch(JSON.stringify(failed), ground.kind.secret)
      for (const [method, path, body] of [
        ['GET', '', undefined],
        ['POST', '/restore', restoreOf('backup-20260101-000000-0123abcd')],
      ] as const) {
        const answer = await ground.call(method, path, body)
        t.ok(answer.status >= 500, `${answer.status}`)
        t.match(answer.text, new RegExp(`${name}:`))
        t.notMatch(answer.text, ground.kind.secret)
      }
    })
  }
}

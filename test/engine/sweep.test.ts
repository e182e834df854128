import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { CreateMultipartUploadCommand, ListPartsCommand } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { pack } from '../../src/engine/batch.js'
import type { Surroundings } from '../../src/engine/execution.js'
import { Inventory } from '../../src/engine/inventory.js'
import type { OperationKind } from '../../src/engine/operation.js'
import { Progress } from '../../src/engine/progress.js'
import { sweep } from '../../src/engine/sweep.js'
import { Tracker } from '../../src/engine/tracker.js'
import { undo } from '../../src/engine/undo.js'
import { serializeMarker } from '../../src/format/marker.js'
import { serializeTombstone } from '../../src/format/tombstone.js'
import { LocalStore } from '../../src/stores/local.js'
import { openStore } from '../../src/stores/open.js'
import type { Store } from '../../src/stores/store.js'
import type { TransferThreadData } from '../../workers/transfer.js'
import { startMinio } from '../servers/minio.js'
import { collect, put } from '../stores/contract.js'
import { noVerdicts, openScene, poolHere } from './scene.js'

const minio = await startMinio(t)
const idOf = (number: number): string => `backup-20261123-1030${String(number).padStart(2, '0')}-0000000${number % 10}`
const [done, running, unknown] = ['000000000001', '000000000002', '000000000003']

function begun(operationId: string, backupId: string, operation: OperationKind = 'backup') {
  const identity = { operation, operationId, backupId, target: 'local', databases: null } as const
  const tracker = new Tracker(identity, new Progress())
  const status = tracker.snapshot()
  tracker.end('failed', null)
  return { status, ended: tracker.snapshot() }
}

/** Operations that have ended and that go on, and a target to sweep. */
function prepare(t: Test, keepReplacedMs = 60_000, stores: TransferThreadData['stores'] = {}) {
  const scene = openScene(t, { keepReplacedMs })
  const run = scene.open()
  const { storage, journal, log, settings } = run
  const pool = poolHere({ stores: { 'target:local': { kind: 'local', root: scene.target }, ...stores } })
  rmSync(run.scratch.url, { recursive: true })
  const around: Surroundings = { settings, storage, pool, journal, log, verdicts: noVerdicts }
  const old = begun(done, idOf(1))
  journal.begin({ status: old.status, request: {}, caller: 'x' }, 'boot')
  journal.end(old.ended)
  journal.begin({ status: begun(running, idOf(2)).status, request: {}, caller: 'x' }, 'boot')
  const marker = (operation: string, instance = journal.instance, kind: 'backup' | 'delete' = 'backup'): string =>
    serializeMarker({ instance, operation, kind, host: 'here', since: '2026-11-23T10:30:00Z' })
  return { scene, around, marker, journal }
}

t.test('only what is provably ours and nobody works on', async (t) => {
  const { scene, around, marker } = prepare(t)
  const { target, settings } = scene
  const backups: Record<string, [files: Record<string, string>, stays: boolean]> = {
    "Arc's own running backup": [{ 'data/db/m/a.parquet': 'x' }, true],
    "another instance's": [{ '.arc-backup.json': marker(done, 'other'), 'data/a': 'x' }, true],
    'one that runs': [{ '.arc-backup.json': marker(running), 'data/a': 'x' }, true],
    'one that ended': [{ '.arc-backup.json': marker(done), 'data/db/a': 'x', 'metadata/arc.db': 'x' }, false],
    'a delete that was killed': [{ '.arc-backup.json': marker(unknown, undefined, 'delete'), 'data/a': 'x' }, false],
    'a marker that is none': [{ '.arc-backup.json': 'x', 'data/a': 'x' }, true],
    'a fresh tombstone': [{ 'manifest.json': serializeTombstone(new Date()) }, true],
    'an old tombstone': [{ 'manifest.json': serializeTombstone(new Date(Date.now() - 25 * 3600_000)) }, false],
  }
  const ids = Object.keys(backups).map((_, index) => idOf(index + 10))
  for (const [index, [files]] of Object.values(backups).entries()) {
    for (const [path, content] of Object.entries(files)) {
      const file = `${target}/${ids[index]}/${path}`
      mkdirSync(file.slice(0, file.lastIndexOf('/')), { recursive: true })
      writeFileSync(file, content)
    }
  }
  const whole = idOf(99)
  mkdirSync(`${target}/${whole}`)
  writeFileSync(`${target}/${whole}/manifest.json`, '{"backup_id": "x"}')
  writeFileSync(`${target}/${whole}/.arc-backup.json`, marker(done))
  writeFileSync(`${target}/${whole}/.arc-backup-4711-37d1637a80444bb6.part`, 'the marker of a delete that was killed')
  mkdirSync(`${target}/not-a-backup`)
  writeFileSync(`${target}/not-a-backup/.arc-backup.json`, marker(done))
  mkdirSync(`${settings.statePath}/operations/${done}`, { recursive: true })
  mkdirSync(`${settings.statePath}/operations/${running}`, { recursive: true })

  const targets = [{ name: 'local', store: new LocalStore(target), locked: true }]
  const before = readdirSync(target)
  const wouldBe = await sweep(around, targets, true)
  t.same(readdirSync(target), before, 'a dry run removes nothing')
  t.ok(existsSync(`${settings.statePath}/operations/${done}`))
  t.same(await sweep(around, targets, false), wouldBe, 'and says what is removed')
  for (const [index, [name, [, stays]]] of Object.entries(backups).entries()) {
    t.equal(existsSync(`${target}/${ids[index]}`), stays, name)
  }
  t.same(readdirSync(`${target}/${whole}`), ['manifest.json'], 'a commit that was killed right after it')
  t.ok(existsSync(`${target}/not-a-backup/.arc-backup.json`))
  t.notOk(existsSync(`${settings.statePath}/operations/${done}`))
  t.ok(existsSync(`${settings.statePath}/operations/${running}`))
  t.same((await sweep(around, targets, false)).length, 0, 'there is nothing left to sweep')
})

t.test('on an object store nobody can commit a backup any more that is swept', async (t) => {
  const config = await minio.bucket()
  const { around, marker } = prepare(t, undefined, { 'target:s3': config })
  const store = await openStore(config)
  t.teardown(() => store.close())
  const id = idOf(10)
  await put(store, `${id}/.arc-backup.json`, marker(done))
  await put(store, `${id}/data/db/m/a.parquet`, 'x')
  const swept = await sweep(around, [{ name: 's3', store, locked: true }], false)
  t.match(swept, [{ path: `${id}/` }])
  t.same(await namesOf(store), ['.arc-backup.lock.json', `${id}/manifest.json`])
  t.match(String(await collect(await store.read(`${id}/manifest.json`))), /"tombstone":true/)
  t.same((await sweep(around, [{ name: 's3', store, locked: true }], false)).length, 0)
})

t.test('uploads in parts: those on record go, whoever else has one keeps it', async (t) => {
  const config = await minio.bucket()
  const { around, scene } = prepare(t, undefined, { 'target:s3': config })
  const store = await openStore(config)
  t.teardown(() => store.close())
  const begin = async (Key: string): Promise<string> => {
    const { UploadId = '' } = await minio.client.send(new CreateMultipartUploadCommand({ Bucket: config.bucket, Key }))
    return UploadId
  }
  const path = `${idOf(1)}/data/db/m/large.parquet`
  const [ours, foreign] = [await begin(path), [await begin(path), await begin('db/m/large.parquet')]]
  const folder = `${scene.settings.statePath}/operations/${done}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/uploads.jsonl`, `${JSON.stringify({ store: 'target:s3', path, uploadId: ours })}\n`)
  t.match(await sweep(around, [{ name: 's3', store, locked: true }], false), [{ path: done }])
  t.equal(minio.uploads().length, foreign.length)
  for (const [index, Key] of [path, 'db/m/large.parquet'].entries()) {
    const UploadId = foreign[index]
    await t.resolves(minio.client.send(new ListPartsCommand({ Bucket: config.bucket, Key, UploadId })))
  }
})

t.test('uploads at a target that is configured no more stay on record', async (t) => {
  const { around, scene } = prepare(t)
  const asked: string[] = []
  const storage = new Proxy(around.storage, {
    get: (real, name) => (name === 'abortUpload' ? async () => void asked.push('storage') : Reflect.get(real, name)),
  })
  const folder = `${scene.settings.statePath}/operations/${done}`
  mkdirSync(folder, { recursive: true })
  const left = { store: 'target:gone', path: `${idOf(1)}/data/db/m/large.parquet`, uploadId: '1' }
  writeFileSync(`${folder}/uploads.jsonl`, `${JSON.stringify(left)}\n`)
  t.same(await sweep({ ...around, storage }, [], false), [])
  t.same([asked, existsSync(`${folder}/uploads.jsonl`)], [[], true])
})

t.test('a backup that is committed while the sweep begins stays', async (t) => {
  const config = await minio.bucket()
  const { around, marker } = prepare(t, undefined, { 'target:s3': config })
  const store = await openStore(config)
  t.teardown(() => store.close())
  const id = idOf(10)
  await put(store, `${id}/.arc-backup.json`, marker(done))
  await put(store, `${id}/data/db/m/a.parquet`, 'x')
  const racing = new Proxy(store, {
    get: (real, name) => {
      const value: unknown = Reflect.get(real, name)
      if (typeof value !== 'function') return value
      if (name !== 'writeSmall') return value.bind(real)
      return async (...args: unknown[]) => {
        if (args[0] === `${id}/manifest.json`) await put(real, args[0], '{"backup_id": "x"}')
        return value.apply(real, args)
      }
    },
  })
  t.same(await sweep(around, [{ name: 's3', store: racing, locked: false }], false), [])
  t.same(await namesOf(store), [`${id}/.arc-backup.json`, `${id}/data/db/m/a.parquet`, `${id}/manifest.json`])
})

t.test('a target that gives no answer keeps nobody from sweeping the others', async (t) => {
  const { around, marker, scene } = prepare(t)
  const id = idOf(10)
  mkdirSync(`${scene.target}/${id}`)
  writeFileSync(`${scene.target}/${id}/.arc-backup.json`, marker(done))
  const gone = await openStore({ ...(await minio.bucket()), bucket: 'there-is-none' })
  t.teardown(() => gone.close())
  const targets = [
    { name: 'gone', store: gone, locked: true },
    { name: 'local', store: new LocalStore(scene.target), locked: true },
  ]
  t.match(await sweep(around, targets, false), [{ path: `${id}/` }])
  t.match(scene.log.join(''), /target left out of the sweep/)
})

t.test('files moved aside are kept for a while, and can be put back until then', async (t) => {
  for (const keep of [60_000, 0]) {
    const { around, scene, journal } = prepare(t, keep)
    scene.put(['db/m/.a.replaced', 'a'], ['db/m/.b.replaced', 'b'], ['db/m/b.parquet', 'newer'])
    journal.recordMovedAside(done, [
      { path: 'db/m/a.parquet', hidden: 'db/m/.a.replaced' },
      { path: 'db/m/b.parquet', hidden: 'db/m/.b.replaced' },
    ])
    const swept = await sweep(around, [], false)
    if (keep === 0) {
      t.match(swept, [{ path: 'db/m/.a.replaced', why: `moved aside by the restore ${done}, with 1 more` }])
      t.equal(swept.length, 1)
      t.same(readdirSync(`${scene.storage}/db/m`), ['b.parquet'])
      await t.rejects(undo(around, done), { code: 'REQUEST_INVALID', message: /no files aside, or they are gone/ })
    } else {
      t.same(swept, [])
      t.same(await undo(around, done), { restored: 1, kept: ['db/m/b.parquet'] })
      t.equal(readFileSync(`${scene.storage}/db/m/a.parquet`, 'utf8'), 'a')
      t.equal(readFileSync(`${scene.storage}/db/m/b.parquet`, 'utf8'), 'newer', 'no file is overwritten')
    }
  }
})

t.test('a great many files moved aside are swept, and nobody waits for that', async (t) => {
  const { around, journal } = prepare(t, 0)
  const files = Array.from({ length: 160_000 }, (_, index) => ({ path: `m/${index}`, hidden: `m/.${index}.replaced` }))
  journal.recordMovedAside(done, files)
  let turns = 0
  const turning = setInterval(() => (turns += 1), 1)
  t.teardown(() => clearInterval(turning))
  const expected = { path: 'm/.0.replaced', why: `moved aside by the restore ${done}, with 159999 more` }
  t.match(await sweep(around, [], true), [expected])
  t.match(await sweep(around, [], false), [expected])
  t.ok(turns > 200, `${turns} turns of the event loop`)
  t.same(await sweep(around, [], false), [])
})

async function namesOf(store: Store): Promise<string[]> {
  const names: string[] = []
  for await (const { path } of store.list('')) names.push(path)
  return names.sort()
}

t.test('what a restore staged and could not take back goes by its list, and only that', async (t) => {
  const { scene, around, journal } = prepare(t)
  const restore = '000000000004'
  const { status, ended } = begun(restore, idOf(1), 'restore')
  journal.begin({ status, request: {}, caller: 'x' }, 'boot')
  journal.end(ended)
  const folder = `${scene.settings.statePath}/operations/${restore}`
  mkdirSync(folder, { recursive: true })
  const inventory = new Inventory(`${folder}/inventory.db`)
  inventory.add(pack([{ path: 'db/m/a.parquet', size: 1, mtimeNs: 0n }]))
  inventory.close()
  const stays = ['db/m/.a.parquet.000000000005.part', 'db/m/a.parquet', `db/m/.b.parquet.${restore}.part`]
  scene.put(`db/m/.a.parquet.${restore}.part`, ...stays)
  const pool = poolHere({ stores: { storage: { kind: 'local', root: scene.storage } } })
  await sweep({ ...around, pool }, [], true)
  t.ok(existsSync(`${scene.storage}/db/m/.a.parquet.${restore}.part`))
  await sweep({ ...around, pool }, [], false)
  t.same(readdirSync(`${scene.storage}/db/m`).sort(), stays.map((path) => path.slice(5)).sort())
  t.notOk(existsSync(folder))
})

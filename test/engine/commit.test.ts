import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { commit, findCommitted } from '../../src/engine/commit.js'
import type { Run } from '../../src/engine/run.js'
import { ServiceError } from '../../src/errors.js'
import { type Manifest, readManifest, serializeManifest } from '../../src/format/manifest.js'
import { serializeTombstone } from '../../src/format/tombstone.js'
import { openStore } from '../../src/stores/open.js'
import type { Store } from '../../src/stores/store.js'
import { faulty } from '../faults/faulty-store.js'
import { type Fault, planOf } from '../faults/plan.js'
import { startMinio } from '../servers/minio.js'
import { put } from '../stores/contract.js'
import { openScene, poolHere } from './scene.js'

const minio = await startMinio(t)

/** A backup whose files are at an object store, about to be committed; the store gives no answer to that. */
async function prepare(t: Test, answerLost: boolean): Promise<{ run: Run; manifest: Manifest; store: Store }> {
  const config = await minio.bucket()
  const store = await openStore({ ...config, retryTimeoutMs: 500 })
  t.teardown(() => store.close())
  const run = openScene(t).open()
  const fault: Fault = { kind: 'error', error: 'STORE_TIMEOUT', ...(answerLost && { answerLost }) }
  const target = faulty(store, planOf([{ method: 'write', path: /manifest/, lasting: true, fault }]))
  await put(store, `${run.backupId}/.arc-backup.json`, 'marker')
  await put(store, `${run.backupId}/data/db/m/a.parquet`, 'x')
  const manifest = readManifest(JSON.stringify({ backup_id: run.backupId, created_at: '2026-11-23T10:30:00Z' }))
  const pool = poolHere({ stores: { 'target:s3': config } })
  return { run: { ...run, target, targetStore: 'target:s3', pool }, manifest, store }
}

async function namesOf(store: Store, id: string): Promise<string[]> {
  const names: string[] = []
  for await (const { path } of store.list('')) names.push(path.slice(id.length + 1))
  return names.sort()
}

t.test('a commit whose answer was lost has happened', async (t) => {
  const { run, manifest } = await prepare(t, true)
  await commit(run, manifest)
  t.match(await findCommitted(run), { backup_id: run.backupId })
  t.same(await namesOf(run.target, run.backupId), ['.arc-backup.json', 'data/db/m/a.parquet', 'manifest.json'])
})

t.test('a commit that the store has not done yet is never done: no backup is listed without its files', async (t) => {
  const { run, manifest, store } = await prepare(t, false)
  await t.rejects(commit(run, manifest), { code: 'STORE_TIMEOUT' })
  const bytes = Buffer.from(serializeManifest(manifest))
  const late = store.write(`${run.backupId}/manifest.json`, Readable.from([bytes]), {
    size: bytes.length,
    ifAbsent: true,
  })
  await t.rejects(late, { code: 'STORE_EXISTS' })
  t.equal(await findCommitted(run), null)
  t.same(await namesOf(run.target, run.backupId), ['manifest.json'], 'a tombstone')
})

t.test(
  'a store that was waited for at the manifest is asked once for the tombstone, and not waited for again',
  async (t) => {
    const { run, manifest } = await prepare(t, false)
    let asked = 0
    const writeSmall = async () => {
      asked += 1
      throw new ServiceError('STORE_TIMEOUT', 'no answer', { verb: 'write', store: run.target.url })
    }
    await t.rejects(commit({ ...run, target: { ...run.target, writeSmall } }, manifest), { code: 'STORE_TIMEOUT' })
    t.equal(asked, 1)
  },
)

t.test('a backup that was swept meanwhile can not be committed any more', async (t) => {
  const { run, manifest, store } = await prepare(t, false)
  await put(store, `${run.backupId}/manifest.json`, serializeTombstone(new Date()))
  await t.rejects(commit({ ...run, target: store }, manifest), { code: 'STORE_EXISTS' })
  t.equal(await findCommitted(run), null)
  t.same(await namesOf(store, run.backupId), ['manifest.json'], 'the tombstone')
})

import t, { type Test } from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { type Run, targetStoreName } from '../../src/engine/run.js'
import { openStore, type StoreConfig } from '../../src/stores/open.js'
import type { Store } from '../../src/stores/store.js'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { onAzurite, onMinio } from './remote-place.js'
import { openScene, poolHere, wholeBackup } from './scene.js'

// A source that moves while it is copied, on object stores: other listings, times of a second, and version tags.

const minio = await startMinio(t)
const azurite = await Azurite.start(t)

const aBucket = () => onMinio(minio)
const aContainer = () => onAzurite(azurite)

/** The same store, but for what happens before it lists everything for the nth time. */
function withListing(store: Store, happens: (time: number) => Promise<void>): Store {
  let time = 0
  const list: Store['list'] = async function* (prefix, options) {
    const all = options?.depth === undefined && (prefix === '' || (prefix.length === 1 && prefix[0] === ''))
    if (all) {
      time += 1
      await happens(time)
    }
    yield* store.list(prefix, options)
  }
  return new Proxy(store, {
    get: (real, name) => {
      if (name === 'list') return list
      const value: unknown = Reflect.get(real, name)
      return typeof value === 'function' ? value.bind(real) : value
    },
  })
}

async function openRun(t: Test, from: StoreConfig, to: StoreConfig, happens: (time: number) => Promise<void>) {
  const scene = openScene(t, { storagePath: null })
  const [storage, target] = [await openStore(from), await openStore(to)]
  t.teardown(async () => {
    await storage.close()
    await target.close()
  })
  const state = { kind: 'local', root: scene.settings.statePath } as const
  const pool = poolHere({ stores: { storage: from, [targetStoreName('local')]: to, state } })
  const run: Run = { ...scene.open(), storage: withListing(storage, happens), target, pool }
  return run
}

for (const [name, makeSource, makeTarget] of [
  ['from S3 to Azure', aBucket, aContainer],
  ['from Azure to S3', aContainer, aBucket],
] as const) {
  t.test(name, async (t) => {
    const [source, target] = [await makeSource(), await makeTarget()]
    const day = 'db/m/2026/01/02'
    const [a, b, rewritten, merged] = ['a', 'b', 'r', 'b0_compacted'].map((file) => `${day}/03/${file}.parquet`) as [
      string,
      string,
      string,
      string,
    ]
    const [still, alone] = ['db/n/2026/01/02/03/still.parquet', 'db/o/2026/01/02/03/alone.parquet']
    for (const path of [a, b, still, alone]) await source.place.put(path, Buffer.from(path))
    await source.place.put(rewritten, Buffer.from('before'))
    const state = '_compaction_state/hourly/db/job.json'
    const run = await openRun(t, source.config, target.config, async (time) => {
      if (time !== 2) return
      const job = { output_path: merged, output_size: 6, input_files: [a, b] }
      await source.place.put(merged, Buffer.from('merged'))
      await source.place.put(state, Buffer.from(JSON.stringify(job)))
      await source.place.remove(a)
      // As large as it was, and maybe in the same second.
      await source.place.put(rewritten, Buffer.from('after.'))
      await source.place.remove(alone)
    })
    t.equal(await runBackup(run, wholeBackup), 'completed')
    const { [b]: _, ...live } = await source.place.tree()
    const data = `${run.backupId}/data/`
    const tree = Object.entries(await target.place.tree()).filter(([path]) => path.startsWith(data))
    const copied = Object.fromEntries(tree.map(([path, hash]) => [path.slice(data.length), hash]))
    t.same(copied, live)
    t.match(run.tracker.settled, { passes: 2, replacedFiles: 3, consumedInputs: 1 })
    t.match(run.tracker.snapshot(), { totalFiles: 4, processedFiles: 4, skippedFiles: 0 })
  })
}

t.test('a partition that is gone as a whole, and is the only one that moved', async (t) => {
  for (const make of [aBucket, aContainer]) {
    const [source, target] = [await make(), await aBucket()]
    const [stays, goes] = ['db/m/2026/01/02/03/stays.parquet', 'db/m/2026/01/03/00/goes.parquet']
    for (const path of [stays, goes]) await source.place.put(path, Buffer.from(path))
    const run = await openRun(t, source.config, target.config, async (time) => {
      if (time === 2) await source.place.remove(goes)
    })
    t.equal(await runBackup(run, wholeBackup), 'completed')
    t.same(
      Object.keys(await target.place.tree()).filter((path) => path.endsWith('.parquet')),
      [`${run.backupId}/data/${stays}`],
    )
    t.match(run.tracker.settled, { passes: 2, replacedFiles: 1 })
  }
})

t.test('a source without partitions, state files or anything at all', async (t) => {
  for (const make of [aBucket, aContainer]) {
    const [source, target] = [await make(), await aBucket()]
    const run = await openRun(t, source.config, target.config, async () => {})
    t.equal(await runBackup(run, wholeBackup), 'completed')
    t.match(run.tracker.settled, { passes: 1, replacedFiles: 0 })
  }
})

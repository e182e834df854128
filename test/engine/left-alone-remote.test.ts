import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { runRestore } from '../../src/engine/restore.js'
import { targetStoreName } from '../../src/engine/run.js'
import { openStore } from '../../src/stores/open.js'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { onAzurite, onMinio } from './remote-place.js'
import { openScene, poolHere, restoreOf, wholeBackup } from './scene.js'

// Version tags are those of whoever wrote last: in a place that was restored to, none is the one on record.

const minio = await startMinio(t)
const azurite = await Azurite.start(t)
const names = Array.from({ length: 6 }, (_, index) => `db/m/2026/01/01/00/${index}.parquet`)

for (const [kind, makePlace] of [
  ['S3', () => onMinio(minio)],
  ['Azure', () => onAzurite(azurite)],
] as const) {
  t.test(`what was restored to ${kind} is left alone by the next restore`, async (t) => {
    const scene = openScene(t, { storagePath: null })
    scene.put(...names, ['db/m/2026/01/01/01/large.parquet', Buffer.alloc(9 << 20, 'x')])
    const backup = scene.open()
    t.equal(await runBackup(backup, wholeBackup), 'completed')
    const { config, place } = await makePlace()
    const storage = await openStore(config)
    t.teardown(() => storage.close())
    const [target, state] = [
      { kind: 'local', root: scene.target },
      { kind: 'local', root: scene.settings.statePath },
    ] as const
    const pool = poolHere({ stores: { storage: config, [targetStoreName('local')]: target, state } })
    const restore = async (compare: 'hash' | 'stat') => {
      const run = { ...scene.open('restore', backup.backupId), storage, pool }
      t.equal(await runRestore(run, restoreOf(backup.backupId, { compare })), 'completed')
      const { processedFiles, processedBytes, totalBytes, unchangedFiles } = run.tracker.snapshot()
      t.same({ processedFiles, processedBytes }, { processedFiles: 7, processedBytes: totalBytes })
      return unchangedFiles
    }
    t.equal(await restore('hash'), 0)
    const whole = await place.tree()
    t.equal(await restore('hash'), 7)
    await place.put(names[0] ?? '', Buffer.from('x'.repeat(names[0]?.length ?? 0)))
    t.equal(await restore('hash'), 6, 'other bytes of the same size')
    t.same(await place.tree(), whole)
    t.equal(await restore('stat'), 0, 'nothing is read')
  })
}

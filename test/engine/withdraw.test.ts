import { readdirSync } from 'node:fs'
import t from 'tap'
import { pack } from '../../src/engine/batch.js'
import { Census } from '../../src/engine/census.js'
import { completeListing } from '../../src/engine/chunks.js'
import { copyFiles } from '../../src/engine/copy-files.js'
import { storeNames } from '../../src/engine/run.js'
import { withdraw } from '../../src/engine/withdraw.js'
import { backupPaths } from '../../src/format/layout.js'
import { openScene } from './scene.js'

t.test('what is taken out is in no list, no count, and not at the target', async (t) => {
  const { put, open, target } = openScene(t)
  const paths = [
    'db/m/2026/01/02/a.parquet',
    'db/n/2026/01/02/b.parquet',
    'db/n/metadata/c.json',
    'db/n/metadata/d.json',
  ]
  put(...paths)
  const run = open()
  const census = new Census()
  run.inventory.add(pack(paths.map((path) => ({ path, size: path.length, mtimeNs: 0n }))))
  run.tracker.totalFiles = paths.length
  run.tracker.totalBytes = paths.join('').length
  await copyFiles(run, completeListing(), {
    from: storeNames.storage,
    to: run.targetStore,
    fromPrefix: '',
    toPrefix: `${run.backupId}/${backupPaths.data}`,
    report: true,
    onReport: (report) => census.add(report),
  })
  const [batch] = [...run.inventory.batches()]
  if (!batch) throw new Error('there is no batch')
  const [a, b, c, d] = paths as [string, string, string, string]
  await withdraw(run, census, batch, new Set([a, c]))
  t.same([...(run.inventory.next(0)?.done ?? [])], [0, 1, 0, 1])
  const lines = run.inventory.linesOf(batch.id)
  t.match(JSON.parse(`[${lines.files}]`), [{ path: b }])
  t.match(JSON.parse(`[${lines.others}]`), [{ path: `data/${d}` }])
  t.match(census.totals(), {
    databases: [{ measurements: [{ name: 'n' }] }],
    total_files: 1,
    total_size_bytes: b.length,
  })
  t.equal(census.entries, 2)
  t.same([run.tracker.totalFiles, run.progress.read('files')], [2, 2])
  t.same([run.tracker.totalBytes, run.progress.read('bytes')], [b.length + d.length, b.length + d.length])
  const left = readdirSync(`${target}/${run.backupId}/data`, { recursive: true, encoding: 'utf8' })
  t.same(left.filter((path) => /\.(parquet|json)$/.test(path)).sort(), [b, d])
})

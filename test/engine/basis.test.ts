import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { openScene, wholeBackup } from './scene.js'

const incremental = { ...wholeBackup, incremental: true }

t.test('files are taken from the newest backup, also where two are of one second', async (t) => {
  const scene = openScene(t)
  scene.put('db/m/2026/01/01/00/old.parquet')
  const second = 'backup-20260101-000000'
  t.equal(await runBackup(scene.open('backup', `${second}-ffffffff`), incremental), 'completed')
  scene.put('db/m/2026/01/01/00/new.parquet')
  t.equal(await runBackup(scene.open('backup', `${second}-00000000`), incremental), 'completed')
  const third = scene.open('backup', `${second}-77777777`)
  t.equal(await runBackup(third, incremental), 'completed')
  t.match(third.tracker.snapshot(), { processedFiles: 2, reusedFiles: 2 })
})

import { appendFileSync, rmSync } from 'node:fs'
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

t.test('a backup whose list of files is damaged, or gone, is nothing to take files from', async (t) => {
  for (const spoil of [(list: string) => appendFileSync(list, ' '), (list: string) => rmSync(list)]) {
    const scene = openScene(t, {}, t.testdir({}))
    scene.put('db/m/2026/01/01/00/a.parquet')
    const first = scene.open()
    t.equal(await runBackup(first, incremental), 'completed')
    spoil(`${scene.target}/${first.backupId}/manifest-files.json`)
    const second = scene.open()
    t.equal(await runBackup(second, incremental), 'completed')
    t.match(second.tracker.snapshot(), { processedFiles: 1, reusedFiles: 0 })
    t.match(scene.log, [/no file is taken from an earlier backup: its list of files can not be used/])
  }
})

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { mountImage, withSmallDisk } from '../support/mount.js'
import { hashTree } from '../support/tree.js'
import { openScene, wholeBackup } from './scene.js'

const paths = Array.from({ length: 4 }, (_, index) => `db/m/2026/01/01/00/${index}.parquet`)
const incremental = { ...wholeBackup, incremental: true }

t.test('a file that can not get another name is copied, and is no gap', async (t) => {
  const scene = openScene(t, {}, mountImage(t, 'ext4', 64))
  scene.put(...paths)
  const first = scene.open()
  await runBackup(first, incremental)
  const kept = (id: string, index: number): string => `${scene.target}/${id}/data/${paths[index]}`
  // EPERM, for whoever asks.
  execFileSync('chattr', ['+i', kept(first.backupId, 1)])
  const second = scene.open()
  t.equal(await runBackup(second, incremental), 'completed')
  t.match(second.tracker.snapshot(), { processedFiles: 4, reusedFiles: 3, skippedFiles: 0 })
  t.same(hashTree(`${scene.target}/${second.backupId}/data`), hashTree(scene.storage))
  const isSame = (index: number): boolean =>
    statSync(kept(first.backupId, index)).ino === statSync(kept(second.backupId, index)).ino
  t.same([0, 1, 2, 3].map(isSame), [true, false, true, true])
  execFileSync('chattr', ['-i', kept(first.backupId, 1)])
})

t.test('a second backup needs room for what changed only', async (t) => {
  const scene = openScene(t)
  mkdirSync(scene.target, { recursive: true })
  await withSmallDisk(scene.target, '64m', async () => {
    scene.put(...paths.map((path): [string, Buffer] => [path, randomBytes(8 << 20)]))
    t.equal(await runBackup(scene.open(), incremental), 'completed')
    scene.put([`${paths[0]}.parquet`, randomBytes(8 << 20)])
    const second = scene.open()
    t.equal(await runBackup(second, incremental), 'completed')
    t.match(second.tracker.snapshot(), { reusedFiles: 4, processedFiles: 5 })
    scene.put(
      ...['a', 'b', 'c', 'd'].map((name): [string, Buffer] => [`${paths[0]}.${name}.parquet`, randomBytes(8 << 20)]),
    )
    await t.rejects(runBackup(scene.open(), incremental), { code: 'STORE_FULL' })
  })
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t from 'tap'
import { runRestore } from '../../src/engine/restore.js'
import { newBackupId } from '../../src/format/backup-id.js'
import { hashTree } from '../support/tree.js'
import { openScene, restoreOf, type Scene } from './scene.js'

/** A backup as Arc writes one: without a list of its files. */
function arcsBackup({ target }: Scene, paths: readonly string[]): string {
  const id = newBackupId(new Date())
  const counts = new Map<string, number>()
  for (const path of paths) {
    mkdirSync(dirname(`${target}/${id}/data/${path}`), { recursive: true })
    writeFileSync(`${target}/${id}/data/${path}`, 'x')
    counts.set(path.split('/')[0] ?? '', (counts.get(path.split('/')[0] ?? '') ?? 0) + 1)
  }
  const databases = [...counts].map(([name, files]) => {
    const tally = { file_count: files, size_bytes: files }
    return { name, measurements: [{ name: 'm', ...tally }], ...tally }
  })
  const created_at = new Date().toISOString()
  const total = { total_files: paths.length, total_size_bytes: paths.length }
  const manifest = { version: 'dev', backup_id: id, created_at, backup_type: 'full', databases, ...total }
  writeFileSync(`${target}/${id}/manifest.json`, JSON.stringify(manifest))
  return id
}

t.test('a backup without a list of files, of more files than are looked at in one go', async (t) => {
  const scene = openScene(t)
  const paths = Array.from({ length: 600 }, (_, index) => `db/m/2026/01/01/00/${index}.parquet`)
  const id = arcsBackup(scene, paths)
  const run = scene.open('restore', id)
  t.equal(await runRestore(run, restoreOf(id)), 'completed')
  t.match(run.tracker.snapshot(), {
    totalFiles: 600,
    processedFiles: 600,
    restore: { verified: false, missingFiles: 0 },
  })
  t.same(hashTree(scene.storage), hashTree(`${scene.target}/${id}/data`))
})

t.test(
  "files whose places here are Arc's own or ours are left out: Arc's packages have it back up its earlier backups",
  async (t) => {
    const storage = `${t.testdirName}/storage`
    const scene = openScene(t, { excluded: [`${storage}/backups`, `${storage}/arc.db`] })
    t.equal(scene.storage, storage)
    const id = arcsBackup(scene, [
      'db/m/a.parquet',
      'backups/m/an-earlier-one.parquet',
      'db/m/.tmp/half.parquet',
      '.sync-staging/m/b.parquet',
    ])
    const run = scene.open('restore', id)
    t.equal(await runRestore(run, restoreOf(id)), 'completed')
    t.same(hashTree(storage), { 'db/m/a.parquet': hashTree(`${scene.target}/${id}/data`)['db/m/a.parquet'] })
    t.match(run.tracker.warnings, [/^3 files of the backup are left out: here, their places belong to/])
  },
)

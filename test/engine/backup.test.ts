import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import type { Pool } from '../../src/engine/pool.js'
import type { Run } from '../../src/engine/run.js'
import { readManifest } from '../../src/format/manifest.js'
import { withSmallDisk } from '../support/mount.js'
import { asNobody } from '../support/nobody.js'
import { hashTree } from '../support/tree.js'
import { openScene, wholeBackup } from './scene.js'

/** Something happens to the storage before the threads do their next task of a kind. */
function before(run: Run, kind: 'list' | 'copy', happens: () => void): Run {
  let due = true
  const once = (): void => {
    if (due) happens()
    due = false
  }
  const pool: Pool = {
    ...run.pool,
    list: async (task) => {
      if (kind === 'list') once()
      return run.pool.list(task)
    },
    transfer: async (task) => {
      if (kind === task.kind) once()
      return run.pool.transfer(task)
    },
  }
  return { ...run, pool }
}

t.test('what was copied is what the manifest says', async (t) => {
  const { put, open, storage, target } = openScene(t, { uncovered: ['the cold tier is not in it'] })
  put('db/m/a.parquet', 'db/m/b.parquet', 'db/.arc-database', '_schema/db/m.parquet', 'root.parquet')
  const run = open()
  t.equal(await runBackup(run, wholeBackup), 'completed')
  t.same(hashTree(`${target}/${run.backupId}/data`), hashTree(storage))
  const manifest = readManifest(readFileSync(`${target}/${run.backupId}/manifest.json`))
  t.match(manifest, {
    version: 'arc-backup/test',
    backup_id: run.backupId,
    total_files: 4,
    auxiliary_files: 1,
    skipped_files: 0,
    has_metadata: false,
    has_config: false,
    warnings: ['the cold tier is not in it'],
    sidecar: { entries: 5 },
  })
  t.match(run.tracker.snapshot(), { totalFiles: 5, processedFiles: 5, phase: 'sealing', warnings: [/cold tier/] })
})

t.test('files that vanish are no gap, files that come back readable are none either', async (t) => {
  const { put, open, target, storage } = openScene(t, { maxSkipped: 0 })
  const names = Array.from({ length: 300 }, (_, index) => `db/m/${index}.parquet`)
  put(...names, 'db/m/stays.parquet')
  const run = before(open(), 'copy', () => {
    for (const name of names) rmSync(`${storage}/${name}`)
  })
  t.equal(await runBackup(run, wholeBackup), 'completed')
  t.match(readManifest(readFileSync(`${target}/${run.backupId}/manifest.json`)), { total_files: 1, skipped_files: 0 })
  t.equal(run.tracker.totalFiles, 1)
  t.equal(run.tracker.totalBytes, 'db/m/stays.parquet'.length)
})

t.test('a source that is gone as a whole ends the backup, whenever it goes', async (t) => {
  for (const [kind, left] of [
    ['list', 'nothing'],
    ['copy', 'nothing'],
    ['copy', 'an empty folder'],
  ] as const) {
    const { put, open, target, storage } = openScene(t)
    put('db/m/a.parquet', 'db/m/b.parquet')
    const run = before(open(), kind, () => {
      renameSync(storage, `${storage}.away`)
      if (left === 'an empty folder') mkdirSync(storage)
    })
    await t.rejects(
      runBackup(run, wholeBackup),
      { code: 'STORE_NOT_FOUND', message: new RegExp(storage) },
      `${left} is left before the ${kind}`,
    )
    t.same(readdirSync(target), [], 'a failed backup leaves nothing')
  }
})

t.test('a storage that is empty from the start is backed up', async (t) => {
  const { open, target } = openScene(t)
  const run = open()
  t.equal(await runBackup(run, wholeBackup), 'completed')
  t.same(readdirSync(`${target}/${run.backupId}`).sort(), ['manifest-files.json', 'manifest.json'])
})

t.test('a moving file among many unreadable ones is never counted as a gap', async (t) => {
  const { put, open, storage, target, folder } = openScene(t, { maxSkipped: 1 })
  const unreadable = Array.from({ length: 40 }, (_, index) => `db/m/${String(index).padStart(3, '0')}.parquet`)
  put(...unreadable, ['db/m/moving.parquet', 'x'])
  for (const path of readdirSync(folder, { recursive: true })) chownSync(`${folder}/${path}`, 65534, 65534)
  chownSync(folder, 65534, 65534)
  for (const path of unreadable) {
    chownSync(`${storage}/${path}`, 0, 0)
    chmodSync(`${storage}/${path}`, 0o600)
  }
  await asNobody(async () => {
    const gaps = open()
    t.equal(await runBackup(gaps, wholeBackup), 'gaps')
    t.match(gaps.tracker.snapshot(), { skippedFiles: 40, skippedSample: { length: 32 } })
    const run = open()
    let turn = 0
    const pool: Pool = {
      ...run.pool,
      transfer: async (task) => {
        const outcome = await run.pool.transfer(task)
        if (task.kind !== 'copy' || !task.live) return outcome
        // A file that is written to at each look: as the thread would say it.
        const index = task.batch.paths.split('\0').indexOf('db/m/moving.parquet')
        turn += 1
        if (index === -1) return outcome
        rmSync(`${target}/${run.backupId}/data/db/m/moving.parquet`)
        const failure = { code: 'SOURCE_CHANGED', message: 'moving.parquet changed while it was read' } as const
        return { ...outcome, failures: [...outcome.failures, { index, failure }] }
      },
    }
    await t.rejects(runBackup({ ...run, pool }, wholeBackup), { code: 'SOURCE_CHANGED', message: /moving\.parquet/ })
    t.equal(turn, 2, 'it was tried once more')
    t.equal(readdirSync(target).length, 1)
  })
})

t.test('a stop leaves nothing', async (t) => {
  const { put, open, target } = openScene(t)
  put('db/m/a.parquet')
  const run = before(open(), 'copy', () => run.progress.stop('TIMEOUT'))
  await t.rejects(runBackup(run, wholeBackup), { code: 'TIMEOUT', message: /operation_timeout/ })
  t.same(readdirSync(target), [])
})

t.test('why a backup failed is told even where its debris can not be removed', async (t) => {
  const { put, open, target, log } = openScene(t)
  put('db/m/a.parquet')
  const run = before(open(), 'copy', () => run.progress.stop('CANCELLED'))
  const own = `${target}/${run.backupId}`
  mkdirSync(own)
  await withSmallDisk(own, '1m', async () => {
    writeFileSync(`${own}/some`, 'thing')
    await t.rejects(runBackup(run, wholeBackup), { code: 'CANCELLED' })
    t.match(log.join(''), /cannot remove/)
    t.match(run.tracker.warnings, [new RegExp(`${run.backupId}`)])
  })
  t.ok(existsSync(own))
})

t.test('what can not be made durable is no backup', async (t) => {
  const { put, open, target } = openScene(t)
  put('db/m/a.parquet')
  const run = open()
  const sync = async (): Promise<void> => {
    throw new Error('the disk is gone')
  }
  const failing = { ...run, target: Object.defineProperty(run.target, 'sync', { value: sync }) }
  await t.rejects(runBackup(failing, wholeBackup), { message: 'the disk is gone' })
  t.same(readdirSync(target), [])
})

import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Backups, Body } from '../../src/cli/backups.js'
import { localBackups } from '../../src/cli/local-backups.js'
import { loadConfig } from '../../src/config/load.js'
import { Journal } from '../../src/engine/journal.js'
import { createLog } from '../../src/log.js'
import { arcBackupId } from '../support/fixture.js'
import { startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'
import { arcFolder } from './scene.js'

const log = createLog({ level: 'silent', format: 'json' })

function open(t: Test) {
  const { folder, env } = arcFolder(t)
  const reopen = (): Backups => localBackups(loadConfig({ cwd: folder, env, home: folder }), log)
  return { folder, reopen }
}

async function end(backups: Backups): Promise<Body> {
  for (;;) {
    const status = await backups.status()
    if (status.status !== 'running') return status
    await sleep(10)
  }
}

t.test('what only reads leaves nothing behind', async (t) => {
  const { folder, reopen } = open(t)
  const before = hashTree(folder)
  const backups = reopen()
  t.same(await backups.status(), { status: 'idle' })
  t.match(await backups.list(), { count: 1, backups: [{ backup_id: arcBackupId }], warnings: undefined })
  t.match(await backups.show(arcBackupId), { backup_id: arcBackupId })
  await backups.cancel()
  await backups.close()
  t.same(hashTree(folder), before)
})

t.test('a backup, a restore, a delete, and what is on record of them', async (t) => {
  const { folder, reopen } = open(t)
  const backups = reopen()
  const { backupId } = await backups.startBackup({ include_config: false })
  t.match(await end(backups), { operation: 'backup', status: 'completed', processed_files: 36 })
  const before = hashTree(`${folder}/data/arc`)
  rmSync(`${folder}/data/arc/metrics`, { recursive: true })
  await backups.startRestore({ backup_id: backupId, restore_metadata: false })
  t.match(await end(backups), { operation: 'restore', status: 'completed' })
  t.same(hashTree(`${folder}/data/arc`), before)
  await backups.deleteBackup(backupId)
  await backups.close()
  t.notOk(existsSync(`${folder}/data/backups/${backupId}`))
  const later = reopen()
  t.match(await later.status(), { operation: 'restore', backup_id: backupId, status: 'completed' })
  await later.close()
  const journal = new Journal(`${folder}/data/arc-backup/journal.db`)
  const [deleted] = journal.operations(1)
  journal.close()
  t.match(deleted, { caller: 'command line', status: { operation: 'delete', backupId, outcome: 'completed' } })
})

t.test('an operation that is cancelled, and one that is left alone', async (t) => {
  const { folder, reopen } = open(t)
  for (let i = 0; i < 4; i += 1) {
    writeFileSync(`${folder}/data/arc/metrics/cpu/big${i}.parquet`, Buffer.alloc(64 << 20, i))
  }
  const backups = reopen()
  await backups.startBackup({})
  await backups.cancel()
  t.match(await end(backups), { status: 'failed', outcome: 'cancelled' })
  await backups.startBackup({})
  await backups.close()
  const later = reopen()
  t.match(await later.status(), { status: 'failed', outcome: 'interrupted' })
  t.match(await later.list(), { count: 1 })
  await later.close()
})

t.test('what is asked for wrongly', async (t) => {
  const { reopen } = open(t)
  const backups = reopen()
  for (const id of ['', '..', '../backups', 'nope']) {
    const refusal = { code: 'REQUEST_INVALID', message: 'Invalid backup ID format' }
    await t.rejects(backups.show(id), refusal, id)
    await t.rejects(backups.deleteBackup(id), refusal, id)
  }
  const unknown = 'backup-20200101-000000-00000000'
  await t.rejects(backups.show(unknown), { code: 'NOT_FOUND' })
  await t.rejects(backups.deleteBackup(unknown), { code: 'NOT_FOUND' })
  await t.rejects(backups.startBackup({ databases: ['nope'] }), { code: 'REQUEST_INVALID', message: /nope/ })
  await t.rejects(backups.startBackup({ databases: [] }), { code: 'REQUEST_INVALID' })
  await t.rejects(backups.startRestore({ backup_id: arcBackupId, mode: 'x' }), { code: 'REQUEST_INVALID' })
  await backups.close()
})

t.test('a damaged backup is named by the list, and can be deleted', async (t) => {
  const { folder, reopen } = open(t)
  writeFileSync(`${folder}/data/backups/${arcBackupId}/manifest.json`, '{')
  const backups = reopen()
  t.match(await backups.list(), { count: 0, warnings: [new RegExp(`${arcBackupId} is left out`)] })
  await backups.deleteBackup(arcBackupId)
  await backups.close()
  t.notOk(existsSync(`${folder}/data/backups/${arcBackupId}`))
})

t.test('beside a running service one may look, and nothing else', async (t) => {
  const { folder, reopen } = open(t)
  await startTestService(t, { folder })
  const backups = reopen()
  t.match(await backups.list(), { count: 1 })
  t.same(await backups.status(), { status: 'idle' })
  await t.rejects(backups.startBackup({}), { code: 'BUSY' })
  await backups.close()
})

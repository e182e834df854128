import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { Journal } from '../../src/engine/journal.js'
import { Progress } from '../../src/engine/progress.js'
import { Tracker } from '../../src/engine/tracker.js'
import { serializeMarker } from '../../src/format/marker.js'
import { openCoordinator } from '../../src/service.js'
import { arcBackupId, copyFixture } from '../support/fixture.js'

t.test('an operation that is faster than the sweep of the start holds it up, and no longer than that', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const config = loadConfig({ cwd: folder, home: folder, env: { ARC_BACKUP_WORKERS: '1' } })
  const coordinator = await openCoordinator(config, pino({ level: 'silent' }))
  t.teardown(() => coordinator.close())
  const journal = new Journal(`${config.backup.statePath}/journal.db`)
  const { instance } = journal
  journal.close()
  const left = `${folder}/data/backups/backup-20260101-000000-0123abcd`
  mkdirSync(left)
  const since = '2026-01-01T00:00:00Z'
  const whose = { instance, operation: '0123456789ab', kind: 'delete', host: 'here', since } as const
  writeFileSync(`${left}/.arc-backup.json`, serializeMarker(whose))
  const recovered = coordinator.recover()
  const request = { includeMetadata: false, includeConfig: false }
  await coordinator.startBackup(request, { name: 'admin', credential: null })
  await coordinator.idle()
  await Promise.race([recovered, sleep(4500, undefined, { ref: false })])
  t.notOk(existsSync(left), 'not only when the next try is due')
})

t.test(
  'a delete that was killed after it had removed everything is on record as completed by the next sweep, whoever found it first',
  async (t) => {
    const folder = t.testdir({})
    copyFixture(folder)
    const config = loadConfig({ cwd: folder, home: folder, env: { ARC_BACKUP_WORKERS: '1' } })
    const open = () => openCoordinator(config, pino({ level: 'silent' }))
    await (await open()).close()
    const journal = new Journal(`${config.backup.statePath}/journal.db`)
    const deletes = { '000000000001': 'backup-20260101-000000-0123abcd', '000000000002': arcBackupId }
    for (const [operationId, backupId] of Object.entries(deletes)) {
      const what = { operation: 'delete', operationId, backupId, target: 'local', databases: null } as const
      journal.begin({ status: new Tracker(what, new Progress()).snapshot(), request: {}, caller: 'x' }, 'boot')
    }
    journal.close()
    // A command that only looks, or does something else: it finds them, and knows nothing of what is left.
    await (await open()).close()
    const coordinator = await open()
    t.teardown(() => coordinator.close())
    const outcomes = () => Object.keys(deletes).map((id) => coordinator.operation(id).status.outcome)
    await coordinator.sweep(true)
    t.same(outcomes(), ['interrupted', 'interrupted'])
    await coordinator.sweep(false)
    t.same(outcomes(), ['completed', 'interrupted'], 'the backup of the other one is there still')
  },
)

t.test('what ended with the service can be looked up once more, by who has not been told yet', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const config = loadConfig({ cwd: folder, home: folder, env: { ARC_BACKUP_WORKERS: '1' } })
  const coordinator = await openCoordinator(config, pino({ level: 'silent' }))
  const { operationId } = await coordinator.startBackup(
    { includeMetadata: false, includeConfig: false },
    { name: 'admin', credential: null },
  )
  let outcome: unknown
  await coordinator.close(() => {
    outcome = coordinator.operations(1).find(({ status }) => status.operationId === operationId)?.status.outcome
  })
  t.match(outcome, /^(?:interrupted|completed)$/)
})

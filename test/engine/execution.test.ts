import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { execute, type Plan } from '../../src/engine/execution.js'
import { LocalStore } from '../../src/stores/local.js'
import { noVerdicts, openScene, wholeBackup } from './scene.js'

t.test('the end is on record before the folder goes, and is told after that', async (t) => {
  const scene = openScene(t)
  const { settings, storage, pool, journal, log } = scene.open()
  const folder = `${settings.statePath}/operations/000000000001`
  const seen: unknown[] = []
  const end = journal.end.bind(journal)
  Object.defineProperty(journal, 'end', {
    value: (status: Parameters<typeof end>[0]) => {
      seen.push(existsSync(folder), status.status, status.phase, execution.tracker.snapshot().status)
      end(status)
    },
  })
  const plan: Plan = {
    id: '000000000001',
    kind: 'restore',
    backupId: 'backup-20261123-103045-c526b8a7',
    target: { name: 'local', store: new LocalStore(scene.target), locked: false },
    request: wholeBackup,
    caller: { name: 'x', credential: null },
    action: async () => {
      await sleep(5)
      return 'completed'
    },
    release: async () => void seen.push(existsSync(folder), execution.tracker.snapshot().status),
  }
  const execution = await execute({ settings, storage, pool, journal, log, verdicts: noVerdicts }, plan)
  await execution.ended
  t.same(seen, [true, 'completed', 'done', 'running', false, 'running'])
  t.match(execution.tracker.snapshot(), { status: 'completed', outcome: 'completed' })
  t.match(journal.operation('000000000001'), { status: { outcome: 'completed' }, resumable: false })
})

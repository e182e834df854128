import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Outcome } from '../../src/engine/operation.js'
import { Progress } from '../../src/engine/progress.js'
import { Tracker } from '../../src/engine/tracker.js'

const identity = {
  operation: 'backup',
  operationId: '0123456789ab',
  backupId: 'backup-20261123-103045-c526b8a7',
  target: 'local',
  databases: ['db'],
} as const

t.test('a new operation', async (t) => {
  const tracker = new Tracker(identity, new Progress())
  const status = tracker.snapshot()
  t.match(status, {
    ...identity,
    status: 'running',
    outcome: null,
    phase: 'listing',
    totalFiles: 0,
    processedFiles: 0,
    bytesPerSecond: 0,
    etaSeconds: null,
    completedAt: null,
    error: null,
    errorCode: null,
    warnings: [],
    restore: null,
    phaseMs: {},
  })
  t.match(status.startedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'to the microsecond')
  t.ok(Math.abs(Date.parse(status.startedAt) - Date.now()) < 60_000)
  t.equal(tracker.snapshot().startedAt, status.startedAt)
  t.ok(Object.isFrozen(status))
  tracker.end('completed', null)
})

t.test('a snapshot does not change any more', async (t) => {
  const tracker = new Tracker(identity, new Progress())
  tracker.warn('one')
  const status = tracker.snapshot()
  tracker.warn('two')
  tracker.warn('one')
  tracker.enter('copying')
  t.same(status.warnings, ['one'])
  t.same(status.phaseMs, {})
  t.same(tracker.snapshot().warnings, ['one', 'two'], 'each warning once')
  tracker.end('completed', null)
})

t.test('phases and the time that each one took, also of one that comes twice', async (t) => {
  const tracker = new Tracker(identity, new Progress())
  for (const phase of ['copying', 'metadata', 'copying'] as const) {
    tracker.enter(phase)
    t.equal(tracker.snapshot().phase, phase)
    await sleep(phase === 'copying' ? 100 : 20)
  }
  tracker.end('gaps', null)
  const { phaseMs, phase, startedAt, completedAt } = tracker.snapshot()
  t.equal(phase, 'done')
  t.ok((phaseMs.copying ?? 0) >= 198, `${phaseMs.copying}`)
  t.ok((phaseMs.metadata ?? 0) >= 19 && (phaseMs.metadata ?? 0) < (phaseMs.copying ?? 0))
  const sum = Object.values(phaseMs).reduce((total, ms) => total + ms, 0)
  t.ok(Math.abs(sum - (Date.parse(completedAt ?? '') - Date.parse(startedAt))) < 2, 'together they are the whole')
})

t.test('no estimate while the source is listed; then what is left by the rate of the last seconds', async (t) => {
  const progress = new Progress()
  const tracker = new Tracker(identity, progress)
  tracker.totalBytes = 1000
  progress.add('bytes', 500)
  progress.add('files', 2)
  await sleep(50)
  const listing = tracker.snapshot()
  t.match(listing, { processedBytes: 500, processedFiles: 2, etaSeconds: null })
  t.ok(listing.bytesPerSecond > 0 && listing.bytesPerSecond <= 11_000, `${listing.bytesPerSecond}`)
  tracker.totalsKnown = true
  const known = tracker.snapshot()
  t.equal(known.etaSeconds, Math.ceil(500 / known.bytesPerSecond))
  progress.add('bytes', 5000)
  t.equal(tracker.snapshot().etaSeconds, 0, 'never less than nothing: files grow while they are copied')
  progress.add('bytes', -5500)
  t.match(tracker.snapshot(), { bytesPerSecond: 0, etaSeconds: null }, 'nothing moves')
  tracker.end('completed', null)
})

t.test('the rate follows what happens now', async (t) => {
  const progress = new Progress()
  const tracker = new Tracker(identity, progress)
  progress.add('bytes', 1_000_000)
  await sleep(100)
  const early = tracker.snapshot().bytesPerSecond
  // Ten samples, one each half second, are kept: after that the burst at the start is forgotten.
  const end = performance.now() + 60_000
  while (tracker.snapshot().bytesPerSecond > 0 && performance.now() < end) await sleep(100)
  t.ok(early > 100_000)
  t.equal(tracker.snapshot().bytesPerSecond, 0)
  tracker.end('completed', null)
})

t.test("how it ended, in our words and in Arc's", async (t) => {
  const words: Record<Outcome, string> = {
    completed: 'completed',
    gaps: 'completed',
    failed: 'failed',
    interrupted: 'failed',
    cancelled: 'failed',
  }
  for (const [outcome, status] of Object.entries(words) as [Outcome, string][]) {
    const progress = new Progress()
    const tracker = new Tracker(identity, progress)
    progress.add('bytes', 1000)
    await sleep(10)
    tracker.end(outcome, outcome === 'failed' ? { code: 'STORE_IO', message: 'the disk is gone' } : null)
    const ended = tracker.snapshot()
    t.match(ended, { outcome, status, phase: 'done', etaSeconds: 0 })
    t.same([ended.error, ended.errorCode], outcome === 'failed' ? ['the disk is gone', 'STORE_IO'] : [null, null])
    const seconds = (Date.parse(ended.completedAt ?? '') - Date.parse(ended.startedAt)) / 1000
    t.ok(
      Math.abs(ended.bytesPerSecond * seconds - 1000) < 250,
      `${ended.bytesPerSecond} bytes a second in ${seconds} s`,
    )
    await sleep(10)
    t.equal(tracker.snapshot().bytesPerSecond, ended.bytesPerSecond, 'it does not sink afterwards')
  }
})

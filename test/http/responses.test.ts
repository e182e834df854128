import t from 'tap'
import { goDuration, statusBody } from '../../src/http/responses.js'
import { running } from './scene.js'

const arcs = ['operation', 'backup_id', 'status', 'total_files', 'processed_files', 'skipped_files']
const arcsNumbers = [...arcs, 'total_bytes', 'processed_bytes', 'started_at']
const gap = { path: 'metrics/cpu/x.parquet', code: 'STORE_IO', message: 'cannot read' } as const

t.test("Arc's keys come first, in Arc's order, then ours", async (t) => {
  const body = statusBody(running)
  const ours = [
    'operation_id',
    'event_id',
    'target',
    'outcome',
    'phase',
    'phase_ms',
    'bytes_per_second',
    'eta_seconds',
    'reused_files',
    'reused_bytes',
    'warnings',
  ]
  t.same(Object.keys(body), [...arcsNumbers, ...ours])
  t.match(body, { status: 'running', outcome: null, eta_seconds: null, phase_ms: { listing: 5 }, warnings: [] })
})

t.test('what ended says when and why', async (t) => {
  const ended = { status: 'failed', outcome: 'interrupted', completedAt: '2026-11-23T10:31:00Z' } as const
  const body = statusBody({ ...running, ...ended, error: 'stopped', errorCode: 'INTERRUPTED' })
  t.same(Object.keys(body).slice(0, 11), [...arcsNumbers, 'completed_at', 'error'])
  t.match(body, { error_code: 'INTERRUPTED', outcome: 'interrupted' })
  const gaps = statusBody({ ...running, skippedFiles: 1, skippedSample: [gap], databases: ['metrics'] })
  t.match(gaps, { skipped_files: 1, skipped_sample: [gap], databases: ['metrics'] })
})

t.test('a verify says what is wrong', async (t) => {
  const none = { files: 0, sample: [] }
  const flaws = { damaged: { files: 40, sample: [gap] }, missing: none, unexpected: none }
  const verify = { level: 'deep', verdict: 'damaged', flaws } as const
  const body = statusBody({ ...running, operation: 'verify', verify })
  t.match(body, { operation: 'verify', level: 'deep', verified: 'damaged', damaged_files: 40, damaged_sample: [gap] })
  t.match(body, { missing_files: 0, unexpected_files: 0, missing_sample: undefined })
})

t.test('a restore says what it left as it was', async (t) => {
  const restore = {
    mode: 'merge',
    verified: false,
    missingFiles: 1,
    missingSample: [gap],
    keptFiles: 2,
    keptPartitions: ['metrics/cpu/2026/01/01'],
    replacedFiles: 0,
  } as const
  t.match(statusBody({ ...running, operation: 'restore', restore }), {
    mode: 'merge',
    verified: false,
    missing_files: 1,
    missing_sample: [gap],
    kept_files: 2,
    kept_partitions: ['metrics/cpu/2026/01/01'],
    replaced_files: 0,
  })
  const whole = { ...restore, verified: null, missingFiles: 0, missingSample: [], keptPartitions: [] }
  const body = statusBody({ ...running, operation: 'restore', restore: whole })
  t.match(body, { verified: null, missing_files: 0, kept_partitions: [] })
  t.notOk('missing_sample' in body)
})

t.test('a backup says how it followed its source', async (t) => {
  const settled = { passes: 2, replacedFiles: 31, consumedInputs: 7 }
  const body = statusBody({ ...running, settled })
  t.match(body, { settled_passes: 2, replaced_files: 31, consumed_inputs_skipped: 7 })
})

t.test('nothing ran yet', async (t) => t.same(statusBody(null), { status: 'idle' }))

t.test('durations as Go prints them', async (t) => {
  const expected: [seconds: number, text: string][] = [
    [0, '0s'],
    [59.9, '59s'],
    [60, '1m0s'],
    [3599, '59m59s'],
    [3600, '1h0m0s'],
    [3723.5, '1h2m3s'],
    [90_061, '25h1m1s'],
  ]
  for (const [seconds, text] of expected) t.equal(goDuration(seconds), text)
})

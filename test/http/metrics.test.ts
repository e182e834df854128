import t, { type Test } from 'tap'
import { latencyBounds } from '../../src/engine/measures.js'
import type { OperationStatus } from '../../src/engine/operation.js'
import { Metrics } from '../../src/http/metrics.js'
import { Engine, running } from './scene.js'

const done: OperationStatus = {
  ...running,
  status: 'completed',
  outcome: 'completed',
  phase: 'done',
  processedFiles: 36,
  processedBytes: 83766,
  reusedFiles: 30,
  reusedBytes: 60_000,
  completedAt: '2026-11-23T10:30:55.583188Z',
}

/** Lines of a scrape by their names and labels. */
type Scraped = Record<string, number>

function over(t: Test, engine: Engine): () => Promise<Scraped> {
  const metrics = new Metrics(engine)
  t.teardown(() => metrics.close())
  return async () => read(await metrics.scrape())
}

function read(text: string): Scraped {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]))
}

t.test('what runs, and what it came to', async (t) => {
  const engine = new Engine()
  const scrape = over(t, engine)
  engine.current = running
  const its = '{operation="backup",target="local"}'
  t.match(await scrape(), {
    [`arc_backup_operation_running${its}`]: 1,
    [`arc_backup_operation_processed_bytes${its}`]: 4000,
    [`arc_backup_operation_total_files${its}`]: 36,
    [`arc_backup_operation_progress_ratio${its}`]: 4000 / 83766,
    [`arc_backup_moved_bytes_total${its}`]: 4000,
    'arc_backup_operation_phase{operation="backup",target="local",phase="copying"}': 1,
  })
  engine.current = { ...running, processedBytes: 3000 }
  const back = await scrape()
  t.equal(back[`arc_backup_moved_bytes_total${its}`], 4000, 'what is read again steps back, the counter does not')
  engine.current = done
  for (const tell of engine.ends) tell(done)
  const first = await scrape()
  t.match(first, {
    [`arc_backup_operation_running${its}`]: 0,
    [`arc_backup_moved_bytes_total${its}`]: 83766,
    [`arc_backup_moved_files_total${its}`]: 36,
    'arc_backup_operations_total{operation="backup",target="local",outcome="completed"}': 1,
    'arc_backup_operations_total{operation="backup",target="local",outcome="failed"}': 0,
    [`arc_backup_last_success_timestamp_seconds${its}`]: Date.parse('2026-11-23T10:30:55.583Z') / 1000,
    [`arc_backup_last_success_size_bytes${its}`]: 83766,
    [`arc_backup_last_success_files${its}`]: 36,
    [`arc_backup_last_success_reused_files${its}`]: 30,
    [`arc_backup_last_success_reused_bytes${its}`]: 60_000,
    [`arc_backup_last_success_skipped_files${its}`]: 0,
  })
  t.ok(Math.abs((first[`arc_backup_last_success_duration_seconds${its}`] ?? 0) - 10) < 0.01)
  t.notOk(
    Object.keys(first).some((name) => name.startsWith('arc_backup_operation_phase')),
    'nothing runs',
  )
  const failed: OperationStatus = { ...done, status: 'failed', outcome: 'failed', processedBytes: 1 }
  for (const tell of engine.ends) tell(failed)
  const second = await scrape()
  t.equal(second[`arc_backup_moved_bytes_total${its}`], 83767)
  t.equal(second['arc_backup_last_outcome{operation="backup",target="local",outcome="failed"}'], 1)
  t.equal(second['arc_backup_last_outcome{operation="backup",target="local",outcome="completed"}'], 0)
  t.equal(second[`arc_backup_last_success_files${its}`], 36, 'a failure does not hide the last success')
})

t.test('after a restart the last end is known from the journal, and counters begin at 0', async (t) => {
  const engine = new Engine()
  engine.current = done
  const scraped = await over(t, engine)()
  t.match(scraped, {
    'arc_backup_last_outcome{operation="backup",target="local",outcome="completed"}': 1,
    'arc_backup_operations_total{operation="backup",target="local",outcome="completed"}': 0,
    'arc_backup_moved_bytes_total{operation="backup",target="local"}': 0,
  })
})

t.test('targets: what they hold, and which one does not answer', async (t) => {
  const engine = new Engine()
  engine.targetNames = ['local', 'offsite', 'new']
  engine.room = [{ target: 'local', free: 10, capacity: 100 }]
  const backup = (target: string, verified: string | undefined, hour: number) => ({
    target,
    verified,
    created_at: `2026-11-23T0${hour}:00:00Z`,
  })
  const listed = [backup('local', 'full', 3), backup('offsite', 'damaged', 2), backup('local', undefined, 1)]
  let answer: Engine['listBackups'] = async () => ({ backups: listed, warnings: [], unreachable: [] })
  engine.listBackups = () => answer()
  const scrape = over(t, engine)
  const all = {
    'arc_backup_target_free_bytes{target="local"}': 10,
    'arc_backup_target_capacity_bytes{target="local"}': 100,
    'arc_backup_target_up{target="local"}': 1,
    'arc_backup_target_up{target="offsite"}': 1,
    'arc_backup_backups{target="local"}': 2,
    'arc_backup_backups{target="offsite"}': 1,
    'arc_backup_backups{target="new"}': 0,
    'arc_backup_newest_backup_timestamp_seconds{target="local"}': Date.parse('2026-11-23T03:00:00Z') / 1000,
    'arc_backup_verified_backups{target="local",verdict="full"}': 1,
    'arc_backup_verified_backups{target="local",verdict="none"}': 1,
    'arc_backup_verified_backups{target="local",verdict="damaged"}': 0,
    'arc_backup_verified_backups{target="offsite",verdict="damaged"}': 1,
  }
  // Two at once, as from two Prometheus servers: no count is doubled.
  for (const scraped of await Promise.all([scrape(), scrape()])) t.match(scraped, all)
  answer = async () => ({ backups: [], warnings: [], unreachable: ['offsite'] })
  t.match(await scrape(), all, 'not asked again within a minute')
  for (const tell of engine.ends) tell(done)
  t.match(await scrape(), {
    'arc_backup_backups{target="local"}': 0,
    'arc_backup_target_up{target="local"}': 1,
    'arc_backup_target_up{target="offsite"}': 0,
    'arc_backup_backups{target="offsite"}': 1,
    'arc_backup_verified_backups{target="offsite",verdict="damaged"}': 1,
  })
  answer = async () => Promise.reject(new Error('no target can be read'))
  for (const tell of engine.ends) tell(done)
  t.match(await scrape(), { 'arc_backup_target_up{target="local"}': 0, 'arc_backup_backups{target="offsite"}': 1 })
})

t.test('a target that takes its time does not keep a scrape waiting', async (t) => {
  const engine = new Engine()
  engine.listBackups = () => new Promise(() => {})
  const before = performance.now()
  const scraped = await over(t, engine)()
  t.ok(performance.now() - before < 9000, 'Prometheus waits for ten seconds')
  t.match(scraped, { arc_backup_pool_threads: 2 })
})

t.test('threads, stores, process', async (t) => {
  const engine = new Engine()
  const counts = latencyBounds.map(() => 0)
  engine.measured = {
    workers: 3,
    queued: 7,
    retries: [
      { store: 'target:offsite', code: 'THROTTLED', count: 5 },
      { store: 'target:offsite', code: 'STORE_TIMEOUT', count: 2 },
    ],
    latencies: [{ store: 'storage', action: 'read', counts: [1, 2, ...counts.slice(2), 1], seconds: 90 }],
    flights: [{ store: 'target:offsite', files: 5, limit: 24 }],
  }
  const scraped = await over(t, engine)()
  t.match(scraped, {
    arc_backup_pool_threads: 3,
    arc_backup_pool_queue_length: 7,
    'arc_backup_store_retries_total{store="target:offsite",code="STORE_TIMEOUT"}': 2,
    'arc_backup_store_throttles_total{store="target:offsite"}': 5,
    'arc_backup_store_request_duration_seconds_bucket{store="storage",action="read",le="0.001"}': 1,
    'arc_backup_store_request_duration_seconds_bucket{store="storage",action="read",le="60"}': 3,
    'arc_backup_store_request_duration_seconds_bucket{store="storage",action="read",le="+Inf"}': 4,
    'arc_backup_store_request_duration_seconds_sum{store="storage",action="read"}': 90,
    'arc_backup_store_files_in_flight{store="target:offsite"}': 5,
    'arc_backup_store_files_in_flight_limit{store="target:offsite"}': 24,
    'arc_backup_event_loop_delay_seconds{percentile="99"}': Number,
    process_resident_memory_bytes: Number,
    process_cpu_seconds_total: Number,
  })
})

import t from 'tap'
import { MetricRegistry } from '../../src/http/metric-registry.js'
import { ScheduleMetrics } from '../../src/http/schedule-metrics.js'
import type { Run } from '../../src/schedule/runs.js'
import type { ScheduleView } from '../../src/schedule/scheduler.js'

const run: Run = {
  number: 7,
  due: 1_000_000,
  covers: 1_000_500,
  missed: 2,
  began: 1_000_500,
  ended: 1_090_000,
  outcome: 'gaps',
  note: 'why',
  backup: '0123456789ab',
  verify: null,
  prune: null,
  attempts: 1,
}
const schedule = { cron: '0 3 * * *', timezone: 'UTC', target: 'local', verify: null, prune: null }

/** Values by name and labels, without what all names begin with. */
async function scrape(view: ScheduleView, missed: number): Promise<Record<string, number>> {
  const registry = new MetricRegistry()
  new ScheduleMetrics({ view: () => view, runs: () => [], missed }, registry)
  const lines = (await registry.scrape()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [
      line.replace('arc_backup_schedule_', '').replace(/ \S+$/, ''),
      Number(line.split(' ').at(-1)),
    ]),
  )
}

t.test('when it is due next, and how the last run went', async (t) => {
  t.same(await scrape({ schedule, nextRun: 2_000_000, current: null, last: run }, 5), {
    'next_run_timestamp_seconds{target="local"}': 2000,
    'running{target="local"}': 0,
    'last_run_due_timestamp_seconds{target="local"}': 1000,
    'last_run_started_timestamp_seconds{target="local"}': 1000.5,
    'last_run_ended_timestamp_seconds{target="local"}': 1090,
    'last_run_missed_runs{target="local"}': 2,
    'last_run_outcome{target="local",outcome="completed"}': 0,
    'last_run_outcome{target="local",outcome="gaps"}': 1,
    'last_run_outcome{target="local",outcome="failed"}': 0,
    'last_run_outcome{target="local",outcome="interrupted"}': 0,
    'last_run_outcome{target="local",outcome="cancelled"}': 0,
    'missed_runs_total{target="local"}': 5,
  })
})

t.test('what is not known is not said: never again, nothing has run', async (t) => {
  const view = { schedule, nextRun: null, current: { ...run, ended: null, outcome: null }, last: null }
  t.same(await scrape(view, 0), { 'running{target="local"}': 1, 'missed_runs_total{target="local"}': 0 })
})

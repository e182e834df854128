import type { RunOutcome } from '../schedule/runs.js'
import type { MetricRegistry, Sample } from './metric-registry.js'
import type { Scheduled } from './schedule.js'

const outcomes: readonly RunOutcome[] = ['completed', 'gaps', 'failed', 'interrupted', 'cancelled']

/** How the schedule stands, from its own record: also what went wrong before the start of this process, or before an operation began. Nothing where nothing is scheduled. */
export class ScheduleMetrics {
  constructor(schedule: Scheduled, registry: MetricRegistry) {
    const one = (name: string, help: string, read: (view: ReturnType<Scheduled['view']>) => number | null) =>
      registry.gauge(`arc_backup_schedule_${name}`, help, ['target'], () => {
        const view = schedule.view()
        const value = read(view)
        return value === null ? [] : [[{ target: view.schedule.target }, value]]
      })
    one('next_run_timestamp_seconds', 'When the schedule is due next', ({ nextRun }) => seconds(nextRun))
    one('running', 'Is a scheduled run under way, or waiting', ({ current }) => Number(current !== null))
    const last = 'the last scheduled run that has ended'
    one('last_run_due_timestamp_seconds', `When it was due: ${last}`, (view) => seconds(view.last?.due))
    one('last_run_started_timestamp_seconds', `Start of ${last}`, (view) => seconds(view.last?.began))
    one('last_run_ended_timestamp_seconds', `End of ${last}`, (view) => seconds(view.last?.ended))
    one(
      'last_run_missed_runs',
      `How often more the schedule was due before the backup of ${last}: not made up`,
      (view) => view.last?.missed ?? null,
    )
    registry.gauge(
      'arc_backup_schedule_last_run_outcome',
      `How it ended, 1 for this outcome, 0 for the others: ${last}`,
      ['target', 'outcome'],
      () => {
        const { schedule: of, last: run } = schedule.view()
        if (run === null) return []
        return outcomes.map(
          (outcome): Sample<'target' | 'outcome'> => [{ target: of.target, outcome }, Number(outcome === run.outcome)],
        )
      },
    )
    registry.counter(
      'arc_backup_schedule_missed_runs_total',
      'How often the schedule was due and no run followed, as runs of this process found it',
      ['target'],
      () => [[{ target: schedule.view().schedule.target }, schedule.missed]],
    )
  }
}

/** @param ms since the epoch */
function seconds(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : ms / 1000
}

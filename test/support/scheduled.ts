import { mkdirSync } from 'node:fs'
import { type RunOutcome, Runs } from '../../src/schedule/runs.js'

/** Puts a run that has ended on record, for a service that is not started yet and gets this schedule in its environment. */
export function recordRun(
  statePath: string,
  schedule: { readonly ARC_BACKUP_SCHEDULE_CRON: string; readonly ARC_BACKUP_SCHEDULE_TIMEZONE: string },
  run: {
    readonly daysAgo: number
    readonly outcome: RunOutcome
    readonly note: string | null
    readonly missed: number
  },
): void {
  mkdirSync(statePath, { recursive: true })
  const runs = Runs.open(statePath)
  const due = Date.now() - run.daysAgo * 86_400_000
  runs.adopt(schedule.ARC_BACKUP_SCHEDULE_CRON, schedule.ARC_BACKUP_SCHEDULE_TIMEZONE, due)
  const { number } = runs.begin(due, due + 20)
  const { outcome, note, missed } = run
  runs.note(number, { outcome, note, missed, covers: Date.now(), ended: due + 60_000 })
  runs.close()
}

import type { Run } from '../schedule/runs.js'
import type { ScheduleView } from '../schedule/scheduler.js'
import { rulesBody } from './retention.js'

/** What the API needs of the schedule; `schedule/scheduler.ts` is it. */
export interface Scheduled {
  view(): ScheduleView
  /** How often it was due and no run followed, as runs that ended in this process found it. */
  readonly missed: number
  /** Newest first. */
  runs(limit: number): Run[]
}

/** The schedule, when it is due next, and how its last run went. */
export function scheduleBody({ schedule, nextRun, current, last }: ScheduleView): Record<string, unknown> {
  const { cron, timezone, target, verify, prune } = schedule
  return {
    cron,
    timezone,
    target,
    verify: verify ?? 'none',
    prune: prune && rulesBody(prune),
    next_run: nextRun === null ? null : timeOf(nextRun),
    ...(current && { current_run: runBody(current) }),
    ...(last && { last_run: runBody(last) }),
  }
}

/** One run. */
export function runBody(run: Run): Record<string, unknown> {
  return {
    due_at: timeOf(run.due),
    missed_runs: run.missed,
    began_at: timeOf(run.began),
    ...(run.ended !== null && { ended_at: timeOf(run.ended) }),
    ...(run.outcome !== null && { outcome: run.outcome }),
    ...(run.note !== null && { note: run.note }),
    ...(run.backup !== null && { backup_operation: run.backup }),
    ...(run.verify !== null && { verify_operation: run.verify }),
    ...(run.prune !== null && { prune_operation: run.prune }),
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

import type { Logger } from 'pino'
import type { Coordinator } from '../engine/coordinator.js'
import type { OperationStatus, VerifyLevel } from '../engine/operation.js'
import type { RetentionRules } from '../engine/retention.js'
import type { Clock } from './clock.js'
import type { Run, RunOutcome, Runs } from './runs.js'
import { type StepEnd, Steps } from './steps.js'

/** What a run does. */
export interface Schedule {
  readonly cron: string
  /** IANA name. */
  readonly timezone: string
  readonly target: string
  /** Null: the backup is not verified. */
  readonly verify: VerifyLevel | null
  /** Null: nothing is removed. */
  readonly prune: RetentionRules | null
}

/** What a run works with. */
export interface RunParts {
  readonly schedule: Schedule
  readonly engine: Pick<Coordinator, 'startBackup' | 'startVerify' | 'startPrune' | 'operation' | 'idle'>
  readonly runs: Runs
  readonly clock: Clock
  readonly log: Logger
  /** The process ends. */
  readonly signal: AbortSignal
  /** How often the schedule was due after the first time, until the second (ms). */
  readonly countDue: (after: number, until: number) => number
  /** The end of the operation with this id. */
  readonly endOf: (id: string) => Promise<OperationStatus>
}

/** Who asked, in the journal. */
const caller = { name: 'schedule', credential: null }

/**
 * One run, as a list of steps: a backup, a verify of it, a prune. Each is an operation like any other. Nothing is removed unless the backup is whole and, where it is
 * verified, sound: else a week of bad nights would leave none but bad backups.
 *
 * @param begun the run as it is on record, which may have been interrupted at any point
 * @throws Stopped where the process ends: the run stays open
 */
export async function carryOut(begun: Run, parts: RunParts): Promise<Run> {
  const { schedule, engine, runs, clock } = parts
  const { target, timezone } = schedule
  const steps = new Steps(begun, parts)
  const end = (outcome: RunOutcome, note: string | null): Run =>
    runs.note(begun.number, { outcome, note, ended: clock.now() })

  const request = { includeMetadata: true, target }
  const backup = await steps.take('backup', (id) => engine.startBackup(request, caller, id))
  if (backup.outcome !== 'completed' && backup.outcome !== 'gaps') return end(backup.outcome, backup.error)

  const { verify: level, prune: rules } = schedule
  if (level !== null) {
    const { backupId } = backup
    const verify = await steps.take('verify', (id) => engine.startVerify({ backupId, level, target }, caller, id))
    if (verify.outcome !== 'completed')
      return end(verify.outcome, unpruned(rules, `the verify ended as ${ended(verify)}`))
  }

  if (rules === null) return end(backup.outcome, null)
  if (backup.outcome === 'gaps') return end('gaps', unpruned(rules, 'the backup has gaps'))
  const policy = { ...rules, timezone }
  const prune = await steps.take('prune', (id) => engine.startPrune({ policy, target }, caller, id))
  return end(prune.outcome, prune.error)
}

function unpruned(rules: RetentionRules | null, why: string): string {
  return rules === null ? why : `${why}, so nothing was pruned`
}

function ended({ outcome, error }: StepEnd): string {
  return error === null ? outcome : `${outcome} (${error})`
}

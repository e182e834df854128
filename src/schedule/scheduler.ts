import type { Logger } from 'pino'
import type { Coordinator } from '../engine/coordinator.js'
import type { OperationStatus } from '../engine/operation.js'
import type { Clock } from './clock.js'
import { carryOut, type RunParts, type Schedule } from './nightly-run.js'
import type { Run, Runs } from './runs.js'
import { abortable, Stopped } from './stopped.js'

/** How the schedule stands. Times in ms since the epoch. */
export interface ScheduleView {
  readonly schedule: Schedule
  /** Null: never again. */
  readonly nextRun: number | null
  /** The run that is under way, or waits. */
  readonly current: Run | null
  /** The last one that has ended. */
  readonly last: Run | null
}

/** The longest that it sleeps at a time, in ms: the clock on the wall may be set meanwhile. */
const longestSleep = 30_000
/** How long it waits after its own records could not be written, in ms. */
const troublePause = 60_000
/** Missed runs are counted so far. */
const mostCounted = 1000

export interface SchedulerOptions {
  readonly schedule: Schedule
  /** When the schedule is due next, after an instant (ms); null: never again. */
  readonly nextDue: (after: number) => number | null
  readonly engine: RunParts['engine'] & Pick<Coordinator, 'onEnd'>
  readonly runs: Runs
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Runs what is scheduled, one run at a time. What was due while no process was there, or while a run took its time, is made up once: however often it was due, one run
 * follows.
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #ends = new Map<string, (status: OperationStatus) => void>()
  readonly #closing = new AbortController()
  #working: Promise<void> = Promise.resolve()
  #missed = 0

  constructor(options: SchedulerOptions) {
    this.#options = options
    const { schedule, runs, clock, engine } = options
    runs.adopt(schedule.cron, schedule.timezone, clock.now())
    engine.onEnd((status) => {
      this.#ends.get(status.operationId)?.(status)
      this.#ends.delete(status.operationId)
    })
  }

  /** @param recovered resolves when what was interrupted has been taken up: a run's backup may be among it */
  start(recovered: Promise<void>): void {
    this.#working = this.#work(recovered)
  }

  view(): ScheduleView {
    const { schedule, nextDue, clock, runs } = this.#options
    return viewOf(schedule, nextDue(clock.now()), runs)
  }

  /** How often it was due and no run followed, as runs that ended in this process found it. */
  get missed(): number {
    return this.#missed
  }

  /** Newest first. */
  runs(limit: number): Run[] {
    return this.#options.runs.last(limit)
  }

  /** Begins nothing more. An operation that it began is the engine's to end; its run goes on after the next start. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#working
    this.#options.runs.close()
  }

  async #work(recovered: Promise<void>): Promise<void> {
    const { signal } = this.#closing
    const { runs, clock, log } = this.#options
    await abortable(recovered, signal).catch(() => {})
    while (!signal.aborted) {
      try {
        const open = runs.open()
        if (open) log.info({ due: timeOf(open.due) }, 'a scheduled run that was interrupted goes on')
        const run = open ?? (await this.#nextRun())
        if (run) await this.#carryOut(run)
      } catch (error) {
        if (error instanceof Stopped) return
        log.error({ err: error }, 'the schedule is in trouble, and is tried again')
        await clock.sleep(troublePause, signal)
      }
    }
  }

  /** The next run once it is due; null where the schedule is to be looked at again. */
  async #nextRun(): Promise<Run | null> {
    const { nextDue, runs, clock } = this.#options
    const { signal } = this.#closing
    let before = clock.now()
    const due = nextDue(runs.coveredUntil(before)) ?? Number.POSITIVE_INFINITY
    for (;;) {
      const now = clock.now()
      if (now >= due) return runs.begin(due, now)
      // Put back: what was due next may be long ahead now.
      if (now < before) return null
      before = now
      await abortable(clock.sleep(Math.min(longestSleep, due - now), signal), signal)
    }
  }

  async #carryOut(run: Run): Promise<void> {
    const { log } = this.#options
    log.info({ due: timeOf(run.due) }, 'a scheduled run begins')
    const { outcome, note, missed } = await carryOut(run, {
      ...this.#options,
      signal: this.#closing.signal,
      countDue: (after, until) => this.#countDue(after, until),
      endOf: (id) => new Promise((resolve) => this.#ends.set(id, resolve)),
    }).finally(() => this.#ends.clear())
    this.#missed += missed
    log[outcome === 'completed' ? 'info' : 'warn'](
      { due: timeOf(run.due), outcome, ...(missed > 0 && { missed_runs: missed }), ...(note !== null && { note }) },
      'a scheduled run ended',
    )
  }

  #countDue(after: number, until: number): number {
    const { nextDue } = this.#options
    let count = 0
    for (let at = nextDue(after); at !== null && at <= until && count < mostCounted; at = nextDue(at)) count += 1
    return count
  }
}

/** @param runs null where there is no record */
export function viewOf(schedule: Schedule, nextRun: number | null, runs: Runs | null): ScheduleView {
  const current = runs?.open() ?? null
  const [newest, before] = runs?.last(2) ?? []
  return { schedule, nextRun, current, last: (current ? before : newest) ?? null }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

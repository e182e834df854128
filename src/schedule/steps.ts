import type { OperationStatus } from '../engine/operation.js'
import { newOperationId } from '../engine/plan.js'
import { isServiceError } from '../errors.js'
import type { RunParts } from './nightly-run.js'
import type { Run, RunOutcome } from './runs.js'
import { abortable, Stopped } from './stopped.js'

/** How an operation of a run ended. */
export interface StepEnd {
  readonly outcome: RunOutcome
  readonly error: string | null
  /** '' for a prune, and for what could not begin. */
  readonly backupId: string
}

/** How long somebody who writes there from elsewhere is left alone before it is tried again, in ms. */
const busyPause = 5000
/** How often the backup of a run is begun that its process cuts off, and that can't be resumed. */
const mostAttempts = 3

/** The operations of one run. The id of each is on record before it begins: whoever takes up the run finds how far it came. */
export class Steps {
  readonly #parts: RunParts
  #run: Run

  constructor(run: Run, parts: RunParts) {
    this.#run = run
    this.#parts = parts
  }

  /**
   * The end of that operation: of the one on record, unless it was cut off; else of a new one, which waits for whatever is in its way.
   *
   * @throws Stopped
   */
  async take(step: 'backup' | 'verify' | 'prune', start: (id: string) => Promise<unknown>): Promise<StepEnd> {
    let end = await this.#known(this.#run[step])
    while (end === null || end.outcome === 'interrupted') {
      if (step === 'backup') {
        const { number, attempts } = this.#run
        if (attempts === mostAttempts) return end ?? cutOff
        this.#run = this.#parts.runs.note(number, { attempts: attempts + 1 })
      }
      end = await this.#begin(step, start)
    }
    return end
  }

  /** Null where it never began. */
  async #known(id: string | null): Promise<StepEnd | null> {
    if (id === null) return null
    const { engine, endOf, signal } = this.#parts
    // First, so that it can't end unheard.
    const ended = endOf(id)
    try {
      const { status } = engine.operation(id)
      return endFrom(status.status === 'running' ? await abortable(ended, signal) : status)
    } catch (error) {
      if (isServiceError(error, 'NOT_FOUND')) return null
      throw error
    }
  }

  async #begin(step: 'backup' | 'verify' | 'prune', start: (id: string) => Promise<unknown>): Promise<StepEnd> {
    const { engine, clock, log, signal, endOf } = this.#parts
    const id = newOperationId()
    for (let told = false; ; told = true) {
      this.#record(step, id)
      const ended = endOf(id)
      try {
        await abortable(start(id), signal)
        return endFrom(await abortable(ended, signal))
      } catch (error) {
        if (isServiceError(error, 'UNAVAILABLE')) throw new Stopped()
        if (error instanceof Stopped) throw error
        if (!isServiceError(error, 'BUSY')) {
          log.error({ err: error }, `the ${step} of a scheduled run cannot begin`)
          return { outcome: 'failed', error: error instanceof Error ? error.message : String(error), backupId: '' }
        }
        if (!told)
          log.info({ why: error.message, held_by: error.detail.heldBy }, `the ${step} of a scheduled run waits`)
        await abortable(engine.idle(), signal)
        await abortable(clock.sleep(busyPause, signal), signal)
      }
    }
  }

  #record(step: 'backup' | 'verify' | 'prune', id: string): void {
    const { runs, clock, countDue } = this.#parts
    const { number, due } = this.#run
    const now = Math.max(clock.now(), due)
    // What falls due while it waits is not made up after it.
    const covered = step === 'backup' ? { covers: now, missed: countDue(due, now) } : {}
    this.#run = runs.note(number, { [step]: id, ...covered })
  }
}

const cutOff: StepEnd = { outcome: 'interrupted', error: 'the process ended again and again', backupId: '' }

function endFrom({ outcome, error, backupId }: OperationStatus): StepEnd {
  return { outcome: outcome ?? 'interrupted', error, backupId }
}

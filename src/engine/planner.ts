import { ServiceError } from '../errors.js'
import { planFiles } from './dry-run.js'
import { closeRun, openRun, type Plan, type Surroundings } from './execution.js'
import type { Caller, RestoreRequest } from './operation.js'
import { planRestore } from './plan.js'
import type { Progress } from './progress.js'
import { differences, type RestorePlan } from './restore-plan.js'
import { Slots } from './slot.js'
import type { Target, Targets } from './targets.js'

/** How often it is asked whether anybody still waits for a plan, in ms. */
const askPeriod = 1000

/** Says what a restore would do, one at a time, beside whatever else runs: it only reads. Nothing of it is on record. */
export class Planner {
  readonly #around: Surroundings
  readonly #targets: Targets
  readonly #slots = new Slots('A restore is being planned already')
  #progress: Progress | null = null

  constructor(around: Surroundings, targets: Targets) {
    this.#around = around
    this.#targets = targets
  }

  /**
   * What a restore would do.
   *
   * @param isWanted false once nobody waits for the answer any more
   * @throws BUSY, NOT_FOUND, MANIFEST_INVALID, REQUEST_INVALID with `detail.unknownDatabases`, CANCELLED
   */
  async plan(request: RestoreRequest, isWanted: () => boolean): Promise<RestorePlan> {
    return this.#look(request, await this.#find(request), isWanted)
  }

  /**
   * A restore that is to start now. Where the request names a plan it is made again, and must be the same.
   *
   * @throws as `plan`; PLAN_CHANGED with `detail.changed`
   */
  async prepare(request: RestoreRequest, caller: Caller): Promise<Plan> {
    const target = await this.#find(request)
    if (request.planId !== undefined) {
      // Before the look, which may take a while: is it one at all?
      differences(request.planId, request.planId)
      const { planId } = await this.#look(request, target, () => true)
      const changed = differences(request.planId, planId)
      if (changed.length > 0) {
        throw new ServiceError('PLAN_CHANGED', `the plan does not hold any more: ${changed.join('; ')}`, { changed })
      }
    }
    return planRestore(target, request, caller)
  }

  /** Ends what is being planned. */
  async close(): Promise<void> {
    this.#slots.close()
    this.#progress?.stop('INTERRUPTED')
    await this.#slots.idle()
  }

  async #find(request: RestoreRequest): Promise<Target> {
    const { target, manifest } = await this.#targets.find(request.backupId, request.target)
    if (request.databases) {
      refuseUnknown(
        request.databases,
        manifest.databases.map(({ name }) => name),
      )
    }
    return target
  }

  async #look(request: RestoreRequest, target: Target, isWanted: () => boolean): Promise<RestorePlan> {
    const slot = this.#slots.enter('restore')
    const asking = setInterval(() => {
      if (!isWanted()) this.#progress?.stop('CANCELLED')
    }, askPeriod)
    try {
      const caller = { name: 'nobody', credential: null }
      const run = await openRun(this.#around, { ...planRestore(target, request, caller), folder: 'plans' })
      this.#progress = run.progress
      if (this.#slots.closed) run.progress.stop('INTERRUPTED')
      try {
        return await planFiles(run, request, target.name)
      } finally {
        run.tracker.end('completed', null)
        await closeRun(run, true)
      }
    } finally {
      clearInterval(asking)
      this.#progress = null
      this.#slots.leave(slot)
    }
  }
}

/** @throws REQUEST_INVALID */
export function refuseUnknown(wanted: readonly string[], known: readonly string[]): void {
  const unknownDatabases = wanted.filter((name) => !known.includes(name))
  if (unknownDatabases.length === 0) return
  throw new ServiceError('REQUEST_INVALID', `unknown databases: ${unknownDatabases.join(', ')}`, { unknownDatabases })
}

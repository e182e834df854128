import { createReadStream, existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { ServiceError } from '../errors.js'
import type { Started } from './coordinator.js'
import { type Execution, execute, type Surroundings } from './execution.js'
import type { Caller, OperationStatus, VerifyRequest } from './operation.js'
import { newOperationId } from './plan.js'
import type { Run } from './run.js'
import { Slots } from './slot.js'
import type { Targets } from './targets.js'
import type { Verdicts } from './verdicts.js'
import { runVerify } from './verify.js'

/** What is being verified; the target is not known at first. */
interface Under {
  readonly backupId: string
  target?: string
}

/** Runs one verify at a time, beside whatever else runs: it only reads. */
export class Verifier {
  readonly #around: Surroundings
  readonly #targets: Targets
  readonly #verdicts: Verdicts
  readonly #slots = new Slots('A backup is being verified already')
  #under: Under | null = null
  #current: Execution | null = null
  #last: Execution | null = null

  constructor(around: Surroundings, targets: Targets, verdicts: Verdicts) {
    this.#around = around
    this.#targets = targets
    this.#verdicts = verdicts
  }

  /** @throws BUSY, NOT_FOUND */
  async start(request: VerifyRequest, caller: Caller, id = newOperationId()): Promise<Started> {
    const slot = this.#slots.enter('verify')
    const { backupId } = request
    const under: Under = { backupId }
    this.#under = under
    const leave = (): void => {
      this.#under = null
      this.#current = null
      this.#slots.leave(slot)
    }
    try {
      const target = await this.#targets.holderOf(backupId, request.target)
      under.target = target.name
      const action = (run: Run) => runVerify(run, request, this.#verdicts)
      const execution = await execute(this.#around, { id, kind: 'verify', backupId, target, request, caller, action })
      slot.holder = { operation: execution.id, since: execution.tracker.snapshot().startedAt }
      this.#current = execution
      this.#last = execution
      if (this.#slots.closed) execution.progress.stop('INTERRUPTED')
      void execution.ended.then(leave)
      return { backupId, operationId: id, target: target.name }
    } catch (error) {
      leave()
      throw error
    }
  }

  /** @throws BUSY while this backup is verified */
  refuseDelete(backupId: string, target: string): void {
    const under = this.#under
    if (under?.backupId !== backupId || (under.target ?? target) !== target) return
    throw new ServiceError('BUSY', `${backupId} is being verified`, { operation: 'verify' })
  }

  /** How the verify with this id stands, if it is the one that runs. */
  live(id: string): OperationStatus | undefined {
    return this.#current?.id === id ? this.#current.tracker.snapshot() : undefined
  }

  /** How the verify stands that runs, or ran last in this process. */
  last(): OperationStatus | undefined {
    return this.#last?.tracker.snapshot()
  }

  /** All that a verify found, a line of JSON each. @throws NOT_FOUND for what is no verify, has no verdict, or was followed by a later one */
  findings({ operationId, verify }: OperationStatus): Readable {
    const file = this.#verdicts.findingsOf(operationId)
    if (existsSync(file)) return createReadStream(file)
    if (verify?.verdict && verify.verdict !== 'damaged') return Readable.from([])
    throw new ServiceError('NOT_FOUND', 'No findings of this operation are on record')
  }

  /** Asks the verify with this id to end; false where it is not the one that runs. */
  cancel(id: string): boolean {
    if (this.#current?.id !== id) return false
    this.#current.progress.stop('CANCELLED')
    return true
  }

  /** Resolves when nothing is verified. */
  async idle(): Promise<void> {
    await this.#slots.idle()
  }

  /** Ends what runs as interrupted. */
  async close(): Promise<void> {
    this.#slots.close()
    this.#current?.progress.stop('INTERRUPTED')
    await this.idle()
  }
}

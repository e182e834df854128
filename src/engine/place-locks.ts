import { isServiceError } from '../errors.js'
import type { Store } from '../stores/store.js'
import type { Plan, Surroundings } from './execution.js'
import { lockPlace, type PlaceLock } from './place-lock.js'
import type { Target } from './targets.js'

/** The locks of one operation: a backup's is its target; a restore's the storage, and the target if it may write there. */
export class PlaceLocks {
  readonly #around: Surroundings
  readonly #onLost: () => void
  readonly #locks: PlaceLock[] = []

  constructor(around: Surroundings, onLost: () => void) {
    this.#around = around
    this.#onLost = onLost
  }

  /**
   * The plan with its places locked. A place that can't be locked for another reason than a holder fails the operation, on record, and not the request; where
   * the operation is to go on it stays interrupted.
   *
   * @throws BUSY; for an operation that goes on, whatever keeps it from locking
   */
  async takeFor(plan: Plan, goesOn: boolean): Promise<Plan> {
    const ends = { confirmLocks: () => this.confirm(), release: () => this.release() }
    try {
      if (plan.kind === 'restore') {
        const warnings = [await this.#tryStorage(plan), await this.#tryTarget(plan)]
        const action: Plan['action'] = (run) => {
          for (const warning of warnings) if (warning !== null) run.tracker.warn(warning)
          return plan.action(run)
        }
        return { ...plan, ...ends, action }
      }
      await this.take(plan.target, plan.kind, plan.id)
      return { ...plan, ...ends }
    } catch (error) {
      if (goesOn || isServiceError(error, 'BUSY')) {
        await this.release()
        throw error
      }
      return { ...plan, ...ends, action: () => Promise.reject(error) }
    }
  }

  /** @throws BUSY, or the store's failure */
  async take({ store, locked }: Target, kind: string, operation: string): Promise<void> {
    if (locked) await this.#take(store, kind, operation)
  }

  /** @throws BUSY, or the store's failure */
  async takeStorage(kind: string, operation: string): Promise<void> {
    await this.#take(this.#around.storage, kind, operation)
  }

  /** @throws LOCK_LOST */
  async confirm(): Promise<void> {
    for (const lock of this.#locks) await lock.confirm()
  }

  async release(): Promise<void> {
    for (const lock of this.#locks.splice(0)) await lock.release()
  }

  /** What keeps it from being locked, but a holder, is for the restore itself to meet and to tell better; or, for a store that ignores conditions, no obstacle. */
  async #tryStorage({ kind, id }: Plan): Promise<string | null> {
    const { storage } = this.#around
    try {
      await this.#take(storage, kind, id)
      return null
    } catch (error) {
      if (isServiceError(error, 'BUSY')) throw error
      const why = error instanceof Error ? error.message : String(error)
      return `${storage.url} could not be locked, so nothing keeps a second restore from writing there: ${why}`
    }
  }

  /** A read-only target is the usual case after a disaster. */
  async #tryTarget({ target, kind, id }: Plan): Promise<string | null> {
    try {
      await this.take(target, kind, id)
      return null
    } catch (error) {
      if (isServiceError(error, 'BUSY')) throw error
      const why = error instanceof Error ? error.message : String(error)
      return `${target.name} could not be locked, so a delete could remove the backup meanwhile: ${why}`
    }
  }

  async #take(store: Store, kind: string, operation: string): Promise<void> {
    const { settings, journal } = this.#around
    const { instance } = journal
    const options = { operation, kind, instance, ttlMs: settings.lockTtlMs, onLost: this.#onLost }
    this.#locks.push(await lockPlace(store, options))
  }
}

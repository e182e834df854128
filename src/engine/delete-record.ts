import type { Logger } from 'pino'
import type { Failure } from '../errors.js'
import { bootId } from './boot-id.js'
import type { Journal } from './journal.js'
import { Progress } from './progress.js'
import { Tracker } from './tracker.js'

/**
 * A delete on record: who asked for it, and how it ended. It happens all the same where it can't be written down: to delete is how room is made on a full disk.
 */
export class DeleteRecord {
  readonly #journal: Journal
  readonly #log: Logger
  readonly #tracker: Tracker

  constructor(
    journal: Journal,
    log: Logger,
    { caller, ...what }: { operationId: string; backupId: string; target: string; caller: string },
  ) {
    this.#journal = journal
    this.#log = log
    this.#tracker = new Tracker({ operation: 'delete', databases: null, ...what }, new Progress())
    this.#tracker.enter('cleaning')
    this.#write(() => journal.begin({ status: this.#tracker.snapshot(), request: {}, caller }, bootId()))
    log.info(
      { operation: 'delete', operation_id: what.operationId, backup_id: what.backupId, caller },
      'delete started',
    )
  }

  end(failure: Failure | null): void {
    this.#tracker.end(failure ? 'failed' : 'completed', failure)
    this.#write(() => this.#journal.end(this.#tracker.snapshot()))
  }

  #write(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#log.warn({ err: error }, 'a delete could not be put on record')
    }
  }
}

import type { Logger } from 'pino'
import type { JournalEntry } from './journal.js'
import type { OperationStatus } from './operation.js'

/** Told of each operation that has ended, or was interrupted. Nothing that it does changes anything of the operation. */
export interface Announcer {
  tell(operation: JournalEntry): void
  /** Nothing more will be told. Never rejects. */
  close(): Promise<void>
}

/** @param find the operation on record */
export function announceTo(announcer: Announcer | undefined, find: (id: string) => JournalEntry, log: Logger) {
  return ({ operationId }: OperationStatus): void => {
    try {
      announcer?.tell(find(operationId))
    } catch (error) {
      log.error({ operation_id: operationId, err: error }, 'nobody could be told how the operation ended')
    }
  }
}

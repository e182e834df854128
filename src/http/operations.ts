import type { Started } from '../engine/coordinator.js'
import type { JournalEntry } from '../engine/journal.js'
import type { BackupRequest, Caller, OperationStatus, RestoreRequest } from '../engine/operation.js'
import type { BackupList } from '../engine/targets.js'

/** What the API needs of the engine; `engine/coordinator.ts` is it. */
export interface Operations {
  startBackup(request: BackupRequest, caller: Caller): Promise<Started>
  startRestore(request: RestoreRequest, caller: Caller): Promise<Started>
  /** `target` names the place where several have a backup of this id. */
  deleteBackup(id: string, target?: string): Promise<void>
  listBackups(): Promise<BackupList>
  showBackup(id: string, target?: string): Promise<Record<string, unknown>>
  status(): OperationStatus | null
  /** Operations on record, newest first; those older than `before`, where it is named. @throws NOT_FOUND */
  operations(limit: number, before?: string): JournalEntry[]
  /** @throws NOT_FOUND */
  operation(id: string): JournalEntry
  ready(): boolean
  /** Has this credential (SHA-256, hex) begun the current operation, or one that ended less than 15 minutes ago? */
  mayReadStatus(credential: string): boolean
  /** Asks the running operation to end. @throws NOT_FOUND when nothing runs, BUSY when it is too late. */
  cancel(): void
  /** Goes on with an interrupted operation. @throws NOT_FOUND, BUSY, REQUEST_INVALID */
  resume(id: string): Promise<Started>
  /** Gives an interrupted operation up and removes what it left. @throws NOT_FOUND, BUSY, REQUEST_INVALID */
  discard(id: string): Promise<void>
}

import type { BackupRequest, Caller, OperationStatus, RestoreRequest } from '../engine/operation.js'

/** What the API needs of the engine; `engine/coordinator.ts` is it. */
export interface Operations {
  startBackup(request: BackupRequest, caller: Caller): Promise<{ backupId: string; operationId: string }>
  startRestore(request: RestoreRequest, caller: Caller): Promise<{ backupId: string; operationId: string }>
  deleteBackup(id: string): Promise<void>
  listBackups(): Promise<{ backups: Record<string, unknown>[]; warnings: string[] }>
  showBackup(id: string): Promise<Record<string, unknown>>
  status(): OperationStatus | null
  ready(): boolean
  /** Has this credential (SHA-256, hex) begun the current operation, or one that ended less than 15 minutes ago? */
  mayReadStatus(credential: string): boolean
  /** Asks the running operation to end. @throws NOT_FOUND when nothing runs, BUSY when it is too late. */
  cancel(): void
}

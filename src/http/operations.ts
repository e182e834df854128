import type { Readable } from 'node:stream'
import type { Started } from '../engine/coordinator.js'
import type { JournalEntry } from '../engine/journal.js'
import type { LimitStatus } from '../engine/limits.js'
import type { Measures, TargetSpace } from '../engine/measures.js'
import type {
  BackupRequest,
  Caller,
  OperationStatus,
  PruneRequest,
  RestoreRequest,
  VerifyRequest,
} from '../engine/operation.js'
import type { PrunePlan } from '../engine/prune.js'
import type { RestorePlan } from '../engine/restore-plan.js'
import type { BackupList } from '../engine/targets.js'

/** What the API needs of the engine; `engine/coordinator.ts` is it. */
export interface Operations {
  startBackup(request: BackupRequest, caller: Caller): Promise<Started>
  startRestore(request: RestoreRequest, caller: Caller): Promise<Started>
  /** What a restore would do; `isWanted` is false once nobody waits for it. */
  planRestore(request: RestoreRequest, isWanted: () => boolean): Promise<RestorePlan>
  startVerify(request: VerifyRequest, caller: Caller): Promise<Started>
  /** `target` names the place where several have a backup of this id. */
  deleteBackup(id: string, caller: Caller, target?: string): Promise<void>
  startPrune(request: PruneRequest, caller: Caller): Promise<Started>
  /** What a prune would do now. */
  planPrune(request: PruneRequest): Promise<PrunePlan>
  /** Days begin in this time zone where a prune names none. */
  readonly timezone: string
  /** Keeps a backup from every prune; answers the name of its target. @throws NOT_FOUND, BUSY */
  pin(id: string, target: string | undefined, by: string): Promise<string>
  /** @throws NOT_FOUND */
  unpin(id: string, target?: string): Promise<string>
  /** Names of all targets. */
  readonly targetNames: readonly string[]
  listBackups(): Promise<BackupList>
  showBackup(id: string, target?: string): Promise<Record<string, unknown>>
  status(): OperationStatus | null
  /** What runs, or ran last in this process: the backup or restore, and the verify. */
  live(): OperationStatus[]
  /** Calls back after each end of an operation that began or went on in this process. */
  onEnd(tell: (status: OperationStatus) => void): void
  /** How the threads and the stores do. */
  measures(): Measures
  /** How much of the machine is taken at most. */
  limits(): LimitStatus
  /** For what runs too, until the process ends. @param bandwidth bytes a second, or null for no limit */
  limitBandwidth(bandwidth: number | null): LimitStatus
  /** Room at each target that has a limit. */
  space(): Promise<TargetSpace[]>
  /** Operations on record, newest first; those older than `before`, where it is named. @throws NOT_FOUND */
  operations(limit: number, before?: string): JournalEntry[]
  /** @throws NOT_FOUND */
  operation(id: string): JournalEntry
  ready(): boolean
  /** Has this credential (SHA-256, hex) begun the current operation, or one that ended less than 15 minutes ago? */
  mayReadStatus(credential: string): boolean
  /** All that a verify found, a line of JSON each. @throws NOT_FOUND */
  findings(id: string): Readable
  /** Asks the running operation (the backup or restore, unless one is named) to end. @throws NOT_FOUND when it does not run, BUSY when it is too late. */
  cancel(id?: string): void
  /** Goes on with an interrupted operation. @throws NOT_FOUND, BUSY, REQUEST_INVALID */
  resume(id: string): Promise<Started>
  /** Gives an interrupted operation up and removes what it left. @throws NOT_FOUND, BUSY, REQUEST_INVALID */
  discard(id: string): Promise<void>
}

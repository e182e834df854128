import type { ErrorCode } from '../errors.js'
import type { Flight } from './flights.js'
import type { KeepReason, RetentionPolicy } from './retention.js'

/** What a client may ask for. Absent booleans have been resolved to their defaults by whoever parsed the request. */
export interface BackupRequest {
  readonly includeMetadata: boolean
  /** Take files that have not changed from an earlier backup in the same target? Absent: as is configured. */
  readonly incremental?: boolean
  /** Absent: as is configured, and not for some databases only. */
  readonly includeConfig?: boolean
  /** Name of the place for the backup; absent: the default one. */
  readonly target?: string
  /** Only these databases; absent means all. Never empty. */
  readonly databases?: readonly string[]
}

export interface RestoreRequest {
  readonly backupId: string
  /** Name of the target that has the backup; absent: whichever has it. */
  readonly target?: string
  readonly restoreData: boolean
  readonly restoreMetadata: boolean
  readonly restoreConfig: boolean
  /** Only these databases; absent means all. Never empty. */
  readonly databases?: readonly string[]
  /** `merge` leaves Parquet files that the backup lacks where they are; `replace` moves them aside. */
  readonly mode: 'merge' | 'replace'
  /** Nothing is switched in unless everything was staged and proven. */
  readonly allOrNothing: boolean
  /** `all`: stage everything, then switch; `file`: stage, prove and switch one by one, for want of room. */
  readonly staging: 'all' | 'file'
  /** How live files are compared with what is on record: those that are the same are left alone. Absent: by every byte. */
  readonly compare?: 'hash' | 'stat'
  /** Only tell what would happen. */
  readonly dryRun?: true
  /** Start only if what this plan said still holds. */
  readonly planId?: string
}

/** How closely a backup is looked at: names and sizes; every byte; every byte and what the files are. */
export type VerifyLevel = 'quick' | 'full' | 'deep'

export interface VerifyRequest {
  readonly backupId: string
  readonly level: VerifyLevel
  /** Name of the target that has the backup; absent: whichever has it. */
  readonly target?: string
  /** Never: a backup is verified as a whole. */
  readonly databases?: undefined
}

export interface PruneRequest {
  readonly policy: RetentionPolicy
  /** Name of the place that is pruned; absent: the default one. */
  readonly target?: string
  /** Never: backups are removed as a whole. */
  readonly databases?: undefined
}

/** Who asked: kept with the operation so that a restore of `arc.db` can't lock its own caller out. Never the token. */
export interface Caller {
  /** Token name, `bootstrap`, or `anonymous` where authentication is off. */
  readonly name: string
  /** SHA-256 (hex) of the credential, or null where authentication is off. */
  readonly credential: string | null
}

export type OperationKind = 'backup' | 'restore' | 'verify' | 'prune' | 'delete'

/** Where an operation stands. The order is that of a backup, then that of a restore. */
export type Phase =
  | 'listing'
  | 'copying'
  | 'settling'
  | 'metadata'
  | 'sealing'
  | 'reading'
  | 'checking'
  | 'staging'
  | 'syncing'
  | 'switching'
  | 'cleaning'
  | 'done'

/** `completed` and `gaps` are Arc's "completed"; the others are Arc's "failed". */
export type Outcome = 'completed' | 'gaps' | 'failed' | 'interrupted' | 'cancelled'

/** A file that an operation could not copy, or that is not as it should be, and why. */
export interface Gap {
  readonly path: string
  readonly code: ErrorCode
  readonly message: string
}

/** A frozen snapshot of the current or last operation. Sizes in bytes, times as RFC 3339. */
export interface OperationStatus {
  readonly operation: OperationKind
  readonly operationId: string
  /** Empty for a prune, which is about many. */
  readonly backupId: string
  /** Name of the target that has the backup. */
  readonly target: string
  readonly status: 'running' | 'completed' | 'failed'
  readonly outcome: Outcome | null
  readonly phase: Phase
  readonly totalFiles: number
  readonly processedFiles: number
  readonly skippedFiles: number
  readonly totalBytes: number
  readonly processedBytes: number
  /** Of the processed files, those that a store copied by itself: their bytes did not go through here. */
  readonly serverSideFiles: number
  /** Of the processed files, those that a restore found in their place already, and left alone. */
  readonly unchangedFiles: number
  /** Of the processed files, those that an earlier backup in the same target had, and their bytes. */
  readonly reusedFiles: number
  readonly reusedBytes: number
  /** Mean of the last seconds while running, of the whole operation afterwards. */
  readonly bytesPerSecond: number
  /** Null while the total is not known yet. */
  readonly etaSeconds: number | null
  readonly startedAt: string
  readonly completedAt: string | null
  readonly error: string | null
  readonly errorCode: ErrorCode | null
  readonly warnings: readonly string[]
  /** At most 32 of the files that a backup skipped. */
  readonly skippedSample: readonly Gap[]
  readonly databases: readonly string[] | null
  /** Only for a backup. */
  readonly settled: SettledStatus | null
  /** Only for a restore. */
  readonly restore: RestoreStatus | null
  /** Only for a verify. */
  readonly verify: VerifyStatus | null
  /** Only for a prune. */
  readonly prune?: PruneStatus
  /** How often it went on after an interruption. */
  readonly resumes: number
  /** Files on their way to and from each remote store of it; none once it has ended. */
  readonly flights?: readonly Flight[]
  /** Milliseconds spent in each phase so far. */
  readonly phaseMs: Readonly<Partial<Record<Phase, number>>>
}

/** How the backup was made to hold each day partition as it was at one instant, while Arc went on deleting and merging files. */
export interface SettledStatus {
  /** Listings after the copy until nothing of what was copied was lost any more; at least one. */
  readonly passes: number
  /** Files that were copied and taken out again, because Arc had deleted or rewritten them since. */
  readonly replacedFiles: number
  /** Files left out because a merged file in the backup stands for them. */
  readonly consumedInputs: number
}

export interface RestoreStatus {
  readonly mode: 'merge' | 'replace'
  /** Was every byte checked against a recorded SHA-256? False for a backup without sidecar. Null until that is known. */
  readonly verified: boolean | null
  readonly missingFiles: number
  /** At most 32 of them. */
  readonly missingSample: readonly Gap[]
  /** Live Parquet files that the backup does not have and that were left in place. */
  readonly keptFiles: number
  /** Day partitions (at most 32 named) that now hold both restored and kept Parquet files. */
  readonly keptPartitions: readonly string[]
  /** Live Parquet files that the backup does not have and that were moved aside (`mode: replace`). */
  readonly replacedFiles: number
}

/** What is wrong with a file of a backup. */
export type Flaw = 'damaged' | 'missing' | 'unexpected'

export interface VerifyStatus {
  readonly level: VerifyLevel
  /** What can be said of the backup: that it is sound at this level, or not. Null until all has been looked at. */
  readonly verdict: VerifyLevel | 'damaged' | null
  /** Paths are relative to the backup's folder. */
  readonly flaws: Readonly<
    Record<Flaw, { readonly files: number /** At most 32 of them. */; readonly sample: readonly Gap[] }>
  >
}

/** What became of the backups at a target; of each kind at most 1,000 are named. */
export interface PruneStatus {
  /** In which days and weeks begin. */
  readonly timezone: string
  readonly keptBackups: number
  readonly removedBackups: number
  readonly failedBackups: number
  readonly kept: readonly { readonly backupId: string; readonly reasons: readonly KeepReason[] }[]
  readonly removed: readonly string[]
  /** Those that could not be removed, and why. */
  readonly failed: readonly { readonly backupId: string; readonly code: ErrorCode; readonly message: string }[]
}

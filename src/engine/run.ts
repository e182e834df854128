import type { Logger } from 'pino'
import type { Store } from '../stores/store.js'
import type { Inventory } from './inventory.js'
import type { Journal } from './journal.js'
import type { KnownDamage } from './known-damage.js'
import type { Pool } from './pool.js'
import type { Progress } from './progress.js'
import type { Tracker } from './tracker.js'

/** What stays the same for every operation of a service. */
export interface EngineSettings {
  /** Written into manifests: `arc-backup/<version>`. */
  readonly version: string
  readonly statePath: string
  /** Root of Arc's data where it is on this machine. */
  readonly storagePath: string | null
  /** Does a backup of everything hold the configuration when the request does not say? */
  readonly includeConfig: boolean
  /** Files in flight at once in a thread, where one end is not on this machine. */
  readonly transfers: number
  readonly operationTimeoutMs: number
  /** Does an operation that is interrupted stay as it is, to be resumed, or is it cleaned up? */
  readonly onInterrupt: 'resume' | 'clean'
  /** Does a backup take files that have not changed from an earlier one, when the request does not say? */
  readonly incremental: boolean
  /** Age of a hash after which a file is copied, and hashed, again all the same, in ms. */
  readonly rehashAfterMs: number
  /** IANA name of the zone in which days and weeks begin for a prune that names none; absent: this machine's. */
  readonly timezone?: string
  /** How long files that a restore moved aside are kept, in ms. */
  readonly keepReplacedMs: number
  /** How long a lock on an object store holds without being renewed, in ms. */
  readonly lockTtlMs: number
  /** Share (0..1) of the files that a backup may skip. */
  readonly maxSkipped: number
  /** Listings after the copy until which every partition must have stood still. */
  readonly settlePasses: number
  /** Absolute paths that no backup holds. */
  readonly excluded: readonly string[]
  /** What no backup holds, as sentences for the manifest. */
  readonly uncovered: readonly string[]
  /** SQLite files to back up, by the name that they get in `metadata/`. */
  readonly databases: readonly { readonly name: string; readonly path: string }[]
  /** The configuration file that was loaded, or null. */
  readonly configFile: string | null
  /** Throws CONFIG_INVALID for text that is no TOML. */
  readonly parseConfiguration: (text: string) => void
  /** Throws CONFIG_INVALID for text that could not be loaded as a configuration. */
  readonly checkConfiguration: (text: string) => void
}

/** What an operation that is resumed has to know of its interruption. */
export interface Resumed {
  /** False after a restart of the machine: what was not synced before may be gone. */
  readonly sameBoot: boolean
  /** A restore that had begun to change live files. */
  readonly switching: boolean
}

/** One operation under way: what its steps work with. */
export interface Run {
  readonly id: string
  readonly backupId: string
  readonly startedAt: Date
  readonly settings: EngineSettings
  /** Arc's files. The pool knows it by the same name, as it does the next two. */
  readonly storage: Store
  /** The file system that they lay on when the operation began or went on, where they are on this machine. */
  readonly sourceDevice: bigint | null
  /** Where this operation's backup is. */
  readonly target: Store
  /** Name of that store in the pool. */
  readonly targetStore: string
  /** File of this machine that has a line for each upload in parts (`uploads.ts`). */
  readonly uploads: string
  /** This operation's own folder: inventory, snapshots, the sidecar in the making. */
  readonly scratch: Store
  /** Path of that folder inside the store that the pool knows as `state`. */
  readonly scratchFolder: string
  readonly pool: Pool
  readonly progress: Progress
  readonly tracker: Tracker
  readonly inventory: Inventory
  readonly journal: Journal
  /** Null for an operation that runs for the first time. */
  readonly resumed: Resumed | null
  readonly log: Logger
  /** Did the last verify find that backup, with that manifest (SHA-256, hex), damaged? */
  readonly isDamaged: (backupId: string, manifest: string) => boolean
  /** What verifies have found damaged at this target; what was hashed before `since` is of no interest. */
  readonly knownDamage: (since: number) => Promise<KnownDamage>
  /** Are the places that it writes to still its own? Asked before a commit. @throws LOCK_LOST */
  readonly confirmLocks: () => Promise<void>
}

/** Names of the stores in the pool, beside `target:<name>` for each place for backups. */
export const storeNames = { storage: 'storage', state: 'state' } as const

export function targetStoreName(target: string): string {
  return `target:${target}`
}

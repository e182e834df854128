import type { Logger } from 'pino'
import type { Store } from '../stores/store.js'
import type { Inventory } from './inventory.js'
import type { Journal } from './journal.js'
import type { Pool } from './pool.js'
import type { Progress } from './progress.js'
import type { Tracker } from './tracker.js'

/** What stays the same for every operation of a service. */
export interface EngineSettings {
  /** Written into manifests: `arc-backup/<version>`. */
  readonly version: string
  readonly statePath: string
  /** Root of the storage on local disk, absolute; null with an object store. */
  readonly storagePath: string | null
  readonly operationTimeoutMs: number
  /** Share (0..1) of the files that a backup may skip. */
  readonly maxSkipped: number
  /** Absolute paths that no backup holds. */
  readonly excluded: readonly string[]
  /** What no backup holds, as sentences for the manifest. */
  readonly uncovered: readonly string[]
  /** SQLite files to back up, by the name that they get in `metadata/`. */
  readonly databases: readonly { readonly name: string; readonly path: string }[]
  /** The configuration file that was loaded, or null. */
  readonly configFile: string | null
  /** Throws CONFIG_INVALID for text that could not be loaded as a configuration. */
  readonly checkConfiguration: (text: string) => void
}

/** One operation under way: what its steps work with. */
export interface Run {
  readonly id: string
  readonly backupId: string
  readonly startedAt: Date
  readonly settings: EngineSettings
  /** Arc's files. The pool knows it by the same name, as it does the next two. */
  readonly storage: Store
  /** Where backups are. */
  readonly target: Store
  /** This operation's own folder: inventory, snapshots, the sidecar in the making. */
  readonly scratch: Store
  /** Path of that folder inside the store that the pool knows as `state`. */
  readonly scratchFolder: string
  readonly pool: Pool
  readonly progress: Progress
  readonly tracker: Tracker
  readonly inventory: Inventory
  readonly journal: Journal
  readonly log: Logger
}

/** Names of the stores in the pool. */
export const storeNames = { storage: 'storage', target: 'target', state: 'state' } as const

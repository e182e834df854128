/** A value that must never be printed: shows as `***` in logs, JSON and templates. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself, for the one place that needs it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***'
  }
}

/** Where files are kept. `reveal` makes of it the plain value that stores are opened with. */
export type StoreSettings = LocalSettings | S3Settings | AzureSettings

export interface LocalSettings {
  readonly kind: 'local'
  /** Absolute, links resolved. */
  readonly root: string
}

/** How long an object store that does not answer is tried. */
interface Patience {
  /** `backup.retry_timeout` */
  readonly retryTimeoutMs: number
  /** `backup.stall_timeout` */
  readonly stallTimeoutMs: number
}

export interface S3Settings extends Patience {
  readonly kind: 's3'
  readonly bucket: string
  /** '' or ending in `/`. */
  readonly prefix: string
  readonly region: string
  /** With its scheme, without a path; absent: AWS's own for the region. */
  readonly endpoint?: string
  readonly pathStyle: boolean
  /** Absent: the SDK's chain (environment, profile, web identity, container, instance). */
  readonly credentials?: {
    readonly accessKeyId: string
    readonly secretAccessKey: Secret
    readonly sessionToken?: Secret
  }
  readonly sse?: 'AES256' | 'aws:kms'
  readonly kmsKeyId?: string
  readonly storageClass?: string
}

export interface AzureSettings extends Patience {
  readonly kind: 'azure'
  readonly container: string
  /** '' or ending in `/`. */
  readonly prefix: string
  /** With its scheme; absent with a connection string, which has its own. */
  readonly endpoint?: string
  readonly credential:
    | { readonly kind: 'connection-string'; readonly connectionString: Secret }
    | { readonly kind: 'sas'; readonly account: string; readonly sasToken: Secret }
    | { readonly kind: 'account-key'; readonly account: string; readonly accountKey: Secret }
    | { readonly kind: 'managed-identity'; readonly account: string }
}

/** A place for backups. */
export interface Target {
  readonly name: string
  readonly store: StoreSettings
  /** Is a lock taken before anything is written there? */
  readonly locked: boolean
}

/** A backup, a verify of it and a prune, again and again. */
export interface Schedule {
  readonly cron: string
  /** IANA name; the cron expression goes by its clock, and days and weeks of the prune begin in it. */
  readonly timezone: string
  /** Name of one of the targets. */
  readonly target: string
  /** How closely each backup is looked at; null: not at all. */
  readonly verify: 'quick' | 'full' | 'deep' | null
  /** How many backups each rule keeps; null: nothing is removed. */
  readonly prune: Readonly<
    Record<'last' | 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly' | 'within', number>
  > | null
}

/** The whole configuration: `arc.toml` under `ARC_*` under the defaults; frozen, every path absolute, durations in ms, sizes in bytes. */
export interface Config {
  /** The file that was loaded, or null where there was none. */
  readonly file: string | null
  readonly log: {
    readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
    readonly format: 'json' | 'console'
  }
  readonly server: {
    /** '' listens on every address. Already resolved: `backup.host` or else `server.host`. */
    readonly host: string
    /** `backup.port` or else `server.port`. 0 takes a free one. */
    readonly port: number
    /** Key that decided `port`, for messages: `backup.port` or `server.port`. */
    readonly portKey: string
    readonly tls: {
      readonly certFile: string
      readonly keyFile: string
      /** Certificates that clients show: by whom they must be signed, and whether one is needed. Absent: they are not asked for any. */
      readonly clients?: { readonly caFile: string; readonly required: boolean }
    } | null
    readonly readTimeoutMs: number
    readonly idleTimeoutMs: number
  }
  readonly auth: {
    readonly enabled: boolean
    readonly dbPath: string
    readonly cacheTtlMs: number
    readonly maxCacheSize: number
    readonly bootstrapToken: Secret | null
  }
  /** Arc's own files. */
  readonly storage: {
    readonly store: StoreSettings
    /** The root on local disk, or null with an object store. */
    readonly localPath: string | null
  }
  /** SQLite files that a backup holds, by the name it has in the backup's `metadata/` folder; each file once. The first is always `arc`. */
  readonly databases: readonly { readonly name: string; readonly path: string }[]
  readonly backup: {
    readonly enabled: boolean
    /** Each place that backups may be in, each name once: `local` is `backup.local_path`. */
    readonly targets: readonly Target[]
    /** Where a backup goes that names no target; one of `targets`. */
    readonly defaultTarget: Target
    /** `include_config` of a request that does not say: false where any target is remote, because `arc.toml` carries the keys to it. */
    readonly includeConfig: boolean
    readonly statePath: string
    readonly operationTimeoutMs: number
    /** Is an interrupted operation left to be resumed, or cleaned up? */
    readonly onInterrupt: 'resume' | 'clean'
    /** Does a backup take files that have not changed from an earlier one, when the request does not say? */
    readonly incremental: boolean
    /** Age (ms) of a hash after which a file is copied again all the same. */
    readonly rehashAfterMs: number
    /** How long files that a restore moved aside are kept, in ms. */
    readonly keepReplacedMs: number
    /** How long a lock on an object store holds without being renewed, in ms. */
    readonly lockTtlMs: number
    /** Threads that copy. */
    readonly workers: number
    /** Bytes of memory that files on their way may take. */
    readonly memoryLimit: number
    /** Bytes a second, or null for no limit. */
    readonly bandwidthLimit: number | null
    readonly priority: 'normal' | 'low'
    /** Most files in flight in one worker where a store is remote; null: the engine's own choice. */
    readonly transfers: number | null
    /** Share of files (0..1) that may be skipped. */
    readonly maxSkipped: number
    /** Listings after the copy until which no partition may lose or replace files any more. */
    readonly settlePasses: number
    /** What runs by itself; null: nothing. */
    readonly schedule: Schedule | null
    /** Who is told how an operation ended. */
    readonly announce: {
      readonly command: { readonly path: string; readonly timeoutMs: number } | null
      /** The URL is a secret too: with some services whoever knows it may post there. */
      readonly webhook: { readonly url: Secret; readonly secret: Secret; readonly timeoutMs: number } | null
    }
  }
  /** Absolute paths of files and folders inside the storage root that no backup holds: local targets, state, WAL, Raft, compaction, `arc.db*`. */
  readonly excluded: readonly string[]
  /** What no backup of ours holds although this Arc has it; goes into each manifest, status and the log. */
  readonly uncovered: readonly string[]
  /** What the operator should know about the configuration itself; logged at start. */
  readonly warnings: readonly string[]
}

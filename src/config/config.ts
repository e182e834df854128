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
    readonly tls: { readonly certFile: string; readonly keyFile: string } | null
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
  readonly storage: {
    readonly localPath: string
  }
  /** SQLite files that a backup holds, by the name it has in the backup's `metadata/` folder; each file once. The first is always `arc`. */
  readonly databases: readonly { readonly name: string; readonly path: string }[]
  readonly backup: {
    readonly enabled: boolean
    readonly localPath: string
    readonly statePath: string
    readonly operationTimeoutMs: number
    readonly workers: number
    /** Share of files (0..1) that may be skipped. */
    readonly maxSkipped: number
  }
  /** Absolute paths of files and folders inside the storage root that no backup holds: destination, state, WAL, Raft, compaction, `arc.db*`. */
  readonly excluded: readonly string[]
  /** What no backup of ours holds although this Arc has it; goes into each manifest, status and the log. */
  readonly uncovered: readonly string[]
  /** What the operator should know about the configuration itself; logged at start. */
  readonly warnings: readonly string[]
}

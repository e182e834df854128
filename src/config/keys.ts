import { availableParallelism } from 'node:os'

/** How a value is read: from TOML as it is, from the environment as text. Answers undefined for what it does not accept. */
export interface Reader<T> {
  readonly expected: string
  readonly read: (value: unknown) => T | undefined
}

const goTrue = ['1', 't', 'T', 'TRUE', 'true', 'True']
const goFalse = ['0', 'f', 'F', 'FALSE', 'false', 'False']

const text: Reader<string> = {
  expected: 'a text',
  read: (value) => (typeof value === 'string' ? value : undefined),
}

/** The forms that Go takes for a boolean; anything else is an error here, where Arc silently takes it for false. */
const flag: Reader<boolean> = {
  expected: 'true or false',
  read: (value) => {
    if (typeof value === 'boolean') return value
    if (typeof value !== 'string') return undefined
    if (goTrue.includes(value)) return true
    return goFalse.includes(value) ? false : undefined
  },
}

function integer(min: number, max: number): Reader<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    read: (value) => {
      const number = typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value) ? Number(value) : value
      return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
        ? number
        : undefined
    },
  }
}

function oneOf<T extends string>(...words: readonly T[]): Reader<T> {
  return {
    expected: words.map((word) => `"${word}"`).join(', '),
    read: (value) =>
      typeof value === 'string' ? words.find((word) => word === value.trim().toLowerCase()) : undefined,
  }
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A duration as Go writes it, in ms; more than zero. */
const duration: Reader<number> = {
  expected: 'a duration above zero such as "2h", "90m" or "1h30m"',
  read: (value) => {
    if (typeof value !== 'string' || !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(value)) return undefined
    let total = 0
    for (const [, number, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
      total += Number(number) * (unitMs[unit ?? ''] ?? 0)
    // setTimeout takes no more than 2^31 - 1 ms.
    return total > 0 && total < 2 ** 31 ? Math.round(total) : undefined
  },
}

/** A share as a percentage, 0..1. */
const percentage: Reader<number> = {
  expected: 'a percentage from "0%" to "100%"',
  read: (value) => {
    const found = typeof value === 'string' ? /^(\d{1,3}(?:\.\d+)?)%$/.exec(value.trim()) : null
    const share = value === '0' || value === 0 ? 0 : found ? Number(found[1]) / 100 : Number.NaN
    return share >= 0 && share <= 1 ? share : undefined
  },
}

const secretText: Reader<string> = {
  expected: 'a text of at least 32 characters',
  read: (value) => (typeof value === 'string' && value.length >= 32 ? value : undefined),
}

/** One key of the configuration. */
export interface Key<T> {
  readonly reader: Reader<T>
  readonly fallback: T
  /** Its value is never shown. */
  readonly secret?: true
}

function key<T>(reader: Reader<T>, fallback: NoInfer<T>, secret?: true): Key<T> {
  return { reader, fallback, ...(secret && { secret }) }
}

const port = integer(0, 65_535)

/** Every key that is read, by its name in `arc.toml`; in the environment it is `ARC_` and the name in capitals with `_` for `.`. */
export const keys = {
  'server.host': key(text, ''),
  'server.port': key(port, 8000),
  'server.read_timeout': key(integer(1, 86_400), 30),
  'server.idle_timeout': key(integer(1, 86_400), 120),
  'server.tls_enabled': key(flag, false),
  'server.tls_cert_file': key(text, ''),
  'server.tls_key_file': key(text, ''),
  'log.level': key(oneOf('trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'), 'info'),
  'log.format': key(oneOf('json', 'console'), 'json'),
  'auth.enabled': key(flag, true),
  'auth.db_path': key(text, './data/arc.db'),
  'auth.cache_ttl': key(integer(0, 86_400), 300),
  'auth.max_cache_size': key(integer(1, 1_000_000), 1000),
  'auth.bootstrap_token': key(secretText, '', true),
  'storage.backend': key(oneOf('local', 's3', 'minio', 'azure', 'azblob'), 'local'),
  'storage.local_path': key(text, './data/arc'),
  'retention.db_path': key(text, './data/arc.db'),
  'continuous_query.db_path': key(text, './data/arc.db'),
  'iceberg.enabled': key(flag, false),
  'iceberg.catalog_db_path': key(text, './data/arc.db'),
  'iceberg.warehouse': key(text, ''),
  'tiered_storage.enabled': key(flag, false),
  'tiered_storage.cold.enabled': key(flag, false),
  'wal.directory': key(text, './data/wal'),
  'cluster.raft_data_dir': key(text, './data/raft'),
  'compaction.temp_directory': key(text, './data/compaction'),
  'database.temp_directory': key(text, './.tmp'),
  'backup.enabled': key(flag, true),
  'backup.local_path': key(text, './data/backups'),
  'backup.host': key(text, ''),
  'backup.port': key(port, -1),
  'backup.operation_timeout': key(duration, 2 * 3_600_000),
  'backup.workers': key(integer(1, 256), availableParallelism()),
  'backup.state_path': key(text, './data/arc-backup'),
  'backup.max_skipped': key(percentage, 0.1),
  'backup.allow_unauthenticated': key(flag, false),
} as const

export type KeyName = keyof typeof keys
export type Value<K extends KeyName> = (typeof keys)[K] extends Key<infer T> ? T : never

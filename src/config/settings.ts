import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { duration, flag, integer, oneOf, path, percentage, place, secret, text } from './kinds.js'

const arcDatabase = './data/arc.db'
const mostWorkers = 256
/** A day: the longest time-out in seconds that is more likely meant than mistyped. */
const longestSeconds = 86_400

/** Every key that is read, by its name in `arc.toml`, with Arc's own default; the schema is what a value must be in the file. */
export const settings = z.object({
  'server.host': text().default(''),
  'server.port': integer(0, 65_535).default(8000),
  'server.read_timeout': integer(1, longestSeconds).default(30),
  'server.idle_timeout': integer(1, longestSeconds).default(120),
  'server.tls_enabled': flag().default(false),
  'server.tls_cert_file': path().default(''),
  'server.tls_key_file': path().default(''),
  'log.level': oneOf('trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic').default('info'),
  'log.format': oneOf('json', 'console').default('json'),
  'auth.enabled': flag().default(true),
  'auth.db_path': place().default(arcDatabase),
  'auth.cache_ttl': integer(0, longestSeconds).default(300),
  'auth.max_cache_size': integer(1, 1_000_000).default(1000),
  'auth.bootstrap_token': secret(32).optional(),
  'storage.backend': oneOf('local', 's3', 'minio', 'azure', 'azblob').default('local'),
  'storage.local_path': place().default('./data/arc'),
  'retention.enabled': flag().default(true),
  'retention.db_path': place().default(arcDatabase),
  'continuous_query.enabled': flag().default(true),
  'continuous_query.db_path': place().default(arcDatabase),
  'iceberg.enabled': flag().default(false),
  'iceberg.catalog_db_path': place().default(arcDatabase),
  'iceberg.warehouse': path().default(''),
  'tiered_storage.enabled': flag().default(false),
  'tiered_storage.cold.enabled': flag().default(false),
  'wal.directory': path().default('./data/wal'),
  'cluster.raft_data_dir': path().default('./data/raft'),
  'compaction.temp_directory': path().default('./data/compaction'),
  'database.temp_directory': path().default('./.tmp'),
  'backup.enabled': flag().default(true),
  'backup.local_path': place().default('./data/backups'),
  'backup.host': text().optional(),
  'backup.port': integer(0, 65_535).optional(),
  'backup.operation_timeout': duration().default(7_200_000),
  'backup.workers': integer(1, mostWorkers).default(Math.min(availableParallelism(), mostWorkers)),
  'backup.state_path': place().default('./data/arc-backup'),
  'backup.max_skipped': percentage().default(0.1),
  'backup.allow_unauthenticated': flag().default(false),
})

export type Settings = z.output<typeof settings>
export type Key = keyof Settings

export const keys = Object.keys(settings.shape) as Key[]

/** The tables that hold them: `server`, `tiered_storage`, `tiered_storage.cold`, … */
export const tables: ReadonlySet<string> = new Set(
  keys.flatMap((key) =>
    key
      .split('.')
      .slice(0, -1)
      .map((_, depth, names) => names.slice(0, depth + 1).join('.')),
  ),
)

/** Its value is never shown. */
export function isSecret(key: Key): boolean {
  return key === 'auth.bootstrap_token'
}

/** `ARC_SERVER_PORT` for `server.port`, as Arc names its variables. */
export function variableOf(key: string): string {
  return `ARC_${key.toUpperCase().replaceAll('.', '_')}`
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false] as const),
])

/**
 * The text of a variable as the value that a file would hold. Go's forms of a boolean and decimal integers only: the rest stays a text, which the
 * schema then refuses, where Arc would silently take false or 0.
 */
export function fromVariable(key: Key, written: string): unknown {
  const kind = innermost(settings.shape[key])
  if (kind instanceof z.ZodBoolean) return booleans.get(written) ?? written
  if (kind instanceof z.ZodNumber && /^[+-]?\d{1,15}$/.test(written)) return Number(written)
  return written
}

function innermost(kind: unknown): unknown {
  return kind instanceof z.ZodDefault || kind instanceof z.ZodOptional ? kind.unwrap() : kind
}

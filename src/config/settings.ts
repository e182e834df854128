import { availableParallelism } from 'node:os'
import { z } from 'zod'
import {
  age,
  duration,
  flag,
  integer,
  line,
  oneOf,
  path,
  percentage,
  place,
  rateLimit,
  secret,
  size,
  text,
} from './kinds.js'
import { usualMemoryLimit } from './memory.js'

/** Named places for backups are the tables in this one. */
export const targetsTable = 'backup.targets'

const arcDatabase = './data/arc.db'
const mostWorkers = 256
/** A day: the longest time-out in seconds that is more likely meant than mistyped. */
const longestSeconds = 86_400

const backends = ['local', 's3', 'minio', 'azure', 'azblob'] as const

/** Where an object store is and how it is reached: the same keys under `storage` and under each target. */
const storeFields = {
  s3_bucket: line().default(''),
  s3_region: line().default('us-east-1'),
  s3_endpoint: line().default(''),
  s3_access_key: line().default(''),
  s3_secret_key: text().default(''),
  s3_use_ssl: flag().default(true),
  s3_path_style: flag().default(false),
  s3_prefix: line().default(''),
  azure_container: line().default(''),
  azure_prefix: line().default(''),
  azure_connection_string: line().default(''),
  azure_account_name: line().default(''),
  azure_account_key: line().default(''),
  azure_sas_token: line().default(''),
  azure_endpoint: line().default(''),
  azure_use_managed_identity: flag().default(false),
}

/** The keys of a table `[backup.targets.<name>]`. */
export const targetFields = {
  type: oneOf(...backends).optional(),
  local_path: path().default(''),
  ...storeFields,
  s3_sse: oneOf('aes256', 'aws:kms').optional(),
  s3_kms_key_id: line().default(''),
  s3_storage_class: line().default(''),
  lock: oneOf('auto', 'none').default('auto'),
  databases: z
    .undefined({
      error: 'no such key: a backup here goes to one target as a whole, databases have no target of their own',
    })
    .optional(),
}

/** How many backups a scheduled prune keeps; the words are restic's. */
export const pruneRules = [
  'keep_last',
  'keep_hourly',
  'keep_daily',
  'keep_weekly',
  'keep_monthly',
  'keep_yearly',
  'within',
] as const
export type PruneRule = (typeof pruneRules)[number]
const kept = integer(0, 36_500).default(0)
type Rules = Record<PruneRule, typeof kept>

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
  'storage.backend': oneOf(...backends).default('local'),
  'storage.local_path': path().default('./data/arc'),
  ...under('storage', storeFields),
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
  'backup.local_path': path().trim().default('./data/backups'),
  'backup.target_names': text().default(''),
  'backup.default_target': line().toLowerCase().default(''),
  'backup.host': text().optional(),
  'backup.port': integer(0, 65_535).optional(),
  'backup.tls_client_ca_file': path().default(''),
  'backup.tls_client_auth': oneOf('require', 'request').default('require'),
  'backup.operation_timeout': duration().default(7_200_000),
  'backup.on_interrupt': oneOf('resume', 'clean').default('resume'),
  'backup.incremental': flag().default(true),
  'backup.rehash_after': age().default(30 * 86_400_000),
  'backup.keep_replaced': duration().default(259_200_000),
  'backup.lock_ttl': duration().default(60_000),
  'backup.retry_timeout': duration().default(60_000),
  'backup.stall_timeout': duration().default(30_000),
  'backup.transfers': integer(1, 64).optional(),
  'backup.memory_limit': size(16 << 20, '16MiB').default(usualMemoryLimit),
  'backup.bandwidth_limit': rateLimit().default(null),
  'backup.priority': oneOf('normal', 'low').default('normal'),
  'backup.workers': integer(1, mostWorkers).default(Math.min(availableParallelism(), mostWorkers)),
  'backup.state_path': place().default('./data/arc-backup'),
  'backup.max_skipped': percentage().default(0.1),
  'backup.settle_passes': integer(1, 100).default(5),
  'backup.allow_unauthenticated': flag().default(false),
  'backup.schedule.cron': line().default(''),
  'backup.schedule.timezone': line().default(''),
  'backup.schedule.target': line().toLowerCase().default(''),
  'backup.schedule.verify': oneOf('none', 'quick', 'full', 'deep').default('quick'),
  ...under('backup.schedule.prune', Object.fromEntries(pruneRules.map((rule) => [rule, kept])) as Rules),
  'backup.hooks.command': path().default(''),
  'backup.hooks.timeout': duration().default(60_000),
  'backup.webhook.url': line().default(''),
  'backup.webhook.secret': secret(16).default(''),
  'backup.webhook.timeout': duration().default(10_000),
})

export type Settings = z.output<typeof settings>
export type SettingsKey = keyof Settings
export type StoreFields = z.output<z.ZodObject<typeof storeFields>>
export type TargetFields = z.output<z.ZodObject<typeof targetFields>>
export type TargetTable = `${typeof targetsTable}.${string}`
/** A table with the keys of a store. */
export type StoreTable = 'storage' | TargetTable
export type Key = SettingsKey | `${TargetTable}.${keyof TargetFields}`

export const keys = Object.keys(settings.shape) as SettingsKey[]

/** The tables that hold them: `server`, `tiered_storage`, `tiered_storage.cold`, … */
export const tables: ReadonlySet<string> = new Set([
  ...keys.flatMap((key) =>
    key
      .split('.')
      .slice(0, -1)
      .map((_, depth, names) => names.slice(0, depth + 1).join('.')),
  ),
  targetsTable,
])

/** The schema of all keys where these targets are defined. */
export function settingsWith(targets: readonly string[]): z.ZodObject<Readonly<Record<string, z.ZodType>>> {
  const ofTargets = targets.map((name) => under(`${targetsTable}.${name}`, targetFields))
  return z.object({ ...settings.shape, ...Object.assign({}, ...ofTargets) })
}

function under<const T extends string, F extends object>(table: T, fields: F) {
  return Object.fromEntries(Object.entries(fields).map(([name, kind]) => [`${table}.${name}`, kind])) as {
    [N in keyof F & string as `${T}.${N}`]: F[N]
  }
}

/** What a value of a store must not hold for all to see: a password in an address, a signature, a connection string in the wrong place. */
const tellsSecret = /[@?]|sig=|accountkey=/i
const secretKey =
  /\.(bootstrap_token|s3_access_key|s3_secret_key|azure_connection_string|azure_account_key|azure_sas_token)$|^backup\.webhook\.(url|secret)$/

/** Is this value never to be shown? */
export function isSecret(key: string, value: unknown): boolean {
  return (
    secretKey.test(key) || (/\.(s3|azure)_[a-z_]+$/.test(key) && typeof value === 'string' && tellsSecret.test(value))
  )
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
export function fromVariable(schema: unknown, written: string): unknown {
  const kind = innermost(schema)
  if (kind instanceof z.ZodBoolean) return booleans.get(written) ?? written
  if (kind instanceof z.ZodNumber && /^[+-]?\d{1,15}$/.test(written)) return Number(written)
  return written
}

function innermost(kind: unknown): unknown {
  return kind instanceof z.ZodDefault || kind instanceof z.ZodOptional ? kind.unwrap() : kind
}

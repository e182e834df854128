import { realpathSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type Config, Secret } from './config.js'
import { findConfigFile, parseToml } from './source.js'
import { Values } from './values.js'

export interface LoadOptions {
  /** A file to load instead of the first one in Arc's places. */
  readonly file?: string
  readonly env?: NodeJS.ProcessEnv
  /** Relative paths start here, as Arc's do. */
  readonly cwd?: string
  readonly home?: string
}

/** Arc refuses these as storage, and everything below them; of /root only itself, for that is where root's own trials are. */
const systemFolders = ['/etc', '/usr', '/bin', '/sbin', '/boot', '/proc', '/sys', '/dev']
const levels = { warning: 'warn', panic: 'fatal' } as const

/**
 * The configuration: `ARC_*` over `arc.toml` over the defaults.
 *
 * @throws CONFIG_INVALID naming every key that is wrong, where it stands, and what was expected
 */
export function loadConfig(options: LoadOptions = {}): Config {
  const { env = process.env, cwd = process.cwd(), home = homedir() } = options
  const file = findConfigFile({ cwd, home, ...(options.file !== undefined && { file: options.file }) })
  const values = new Values(file, env)
  const path = (text: string): string => resolve(cwd, text)
  const storagePath = storageOf(values, path)
  const databases = databasesOf(values, path)
  const backup = backupOf(values, path, storagePath)
  const excluded = excludedFrom(values, path, storagePath, backup, databases)
  if (excluded.length > 0) {
    values.warnings.push(
      `inside the storage root ${storagePath}, and left out of backups: ${excluded.filter(isNoSatellite).join(', ')}`,
    )
  }
  const level = values.get('log.level')
  const bootstrap = values.get('auth.bootstrap_token')
  const config: Config = {
    file: file?.path ?? null,
    log: { level: level === 'warning' || level === 'panic' ? levels[level] : level, format: values.get('log.format') },
    server: serverOf(values, path),
    auth: {
      enabled: values.get('auth.enabled'),
      dbPath: path(values.get('auth.db_path')),
      cacheTtlMs: values.get('auth.cache_ttl') * 1000,
      maxCacheSize: values.get('auth.max_cache_size'),
      bootstrapToken: bootstrap === '' ? null : new Secret(bootstrap),
    },
    storage: { localPath: storagePath },
    databases,
    backup,
    excluded,
    uncovered: uncoveredBy(values, env, path, storagePath),
    warnings: values.warnings,
  }
  values.check()
  return freeze(config)
}

/** @throws CONFIG_INVALID for a text that could not be loaded: a restored `arc.toml` must not keep Arc from starting */
export function checkConfigText(text: string): void {
  const values = new Values({ path: 'arc.toml', text, values: parseToml(text, 'arc.toml') }, {})
  storageOf(values, resolve)
  serverOf(values, null)
  values.check()
}

function storageOf(values: Values, path: (text: string) => string): string {
  const backend = values.get('storage.backend')
  if (backend !== 'local') values.refuse('storage.backend', '"local": this version backs up local storage only')
  const given = values.get('storage.local_path')
  const root = realPath(path(given))
  const inSystem = systemFolders.some((folder) => isWithin(root, folder))
  // \p{Cc} are the control characters, \p{Bidi_Control} those that turn the direction of what is shown.
  if (given === '' || /[\p{Cc}\p{Bidi_Control}]/u.test(given))
    values.refuse('storage.local_path', 'a path without control characters')
  else if (root === '/' || root === '/root' || inSystem)
    values.refuse('storage.local_path', 'a folder of its own, not one of the system')
  return root
}

function serverOf(values: Values, path: ((text: string) => string) | null): Config['server'] {
  const portKey = values.has('backup.port') ? 'backup.port' : 'server.port'
  let host = (values.get('backup.host') || values.get('server.host')).replace(/^\[(.*)\]$/, '$1')
  if (!values.get('auth.enabled') && !values.get('backup.allow_unauthenticated') && !isLoopback(host)) {
    values.warnings.push(
      `auth.enabled is false: the service listens on 127.0.0.1 only${host === '' ? '' : `, not on ${host}`} (backup.allow_unauthenticated)`,
    )
    host = '127.0.0.1'
  }
  const tls = values.get('server.tls_enabled')
    ? {
        certFile: path === null ? '' : tlsFile(values, 'server.tls_cert_file', path),
        keyFile: path === null ? '' : tlsFile(values, 'server.tls_key_file', path),
      }
    : null
  return {
    host,
    port: values.get(portKey),
    portKey,
    tls,
    readTimeoutMs: values.get('server.read_timeout') * 1000,
    idleTimeoutMs: values.get('server.idle_timeout') * 1000,
  }
}

function tlsFile(
  values: Values,
  name: 'server.tls_cert_file' | 'server.tls_key_file',
  path: (text: string) => string,
): string {
  const given = values.get(name)
  if (given === '' || !statSync(path(given), { throwIfNoEntry: false })?.isFile()) {
    values.refuse(name, 'an existing file, because server.tls_enabled is true')
  }
  return path(given)
}

/** Arc's databases: one file may serve several of its parts, and is backed up once. */
function databasesOf(values: Values, path: (text: string) => string): Config['databases'] {
  const found = [
    { name: 'arc', path: path(values.get('auth.db_path')) },
    ...(values.get('iceberg.enabled')
      ? [{ name: 'iceberg-catalog', path: path(values.get('iceberg.catalog_db_path')) }]
      : []),
    { name: 'retention', path: path(values.get('retention.db_path')) },
    { name: 'continuous-query', path: path(values.get('continuous_query.db_path')) },
  ]
  const isDefault = { retention: 'retention.db_path', 'continuous-query': 'continuous_query.db_path' } as const
  return found.filter(({ name, path: file }, index) => {
    // Arc's default for these is its default for arc.db, which an operator who moves arc.db seldom moves along: nothing is there.
    const key = name === 'retention' || name === 'continuous-query' ? isDefault[name] : null
    if (key && !values.has(key)) return false
    return found.findIndex((other) => realPath(other.path) === realPath(file)) === index
  })
}

function backupOf(values: Values, path: (text: string) => string, storagePath: string): Config['backup'] {
  const [localPath, statePath] = [
    realPath(path(values.get('backup.local_path'))),
    realPath(path(values.get('backup.state_path'))),
  ]
  for (const [name, folder] of [
    ['backup.local_path', localPath],
    ['backup.state_path', statePath],
  ] as const) {
    if (values.get(name) === '') values.refuse(name, 'a path')
    else if (isWithin(storagePath, folder))
      values.refuse(name, `a folder that does not hold the storage root ${storagePath}`)
  }
  if (localPath === statePath) values.refuse('backup.state_path', 'another folder than backup.local_path')
  return {
    enabled: values.get('backup.enabled'),
    localPath,
    statePath,
    operationTimeoutMs: values.get('backup.operation_timeout'),
    workers: values.get('backup.workers'),
    maxSkipped: values.get('backup.max_skipped'),
  }
}

/** Arc's packages keep everything below the storage root: each backup would hold all earlier ones. */
function excludedFrom(
  values: Values,
  path: (text: string) => string,
  storagePath: string,
  backup: Config['backup'],
  databases: Config['databases'],
): string[] {
  const folders = [
    backup.localPath,
    backup.statePath,
    ...(
      ['wal.directory', 'cluster.raft_data_dir', 'compaction.temp_directory', 'database.temp_directory'] as const
    ).map((name) => realPath(path(values.get(name)))),
  ]
  const files = databases.flatMap(({ path: file }) =>
    ['', '-wal', '-shm', '-journal'].map((end) => realPath(file) + end),
  )
  return [...new Set([...folders, ...files])].filter((one) => one !== storagePath && isWithin(one, storagePath))
}

function uncoveredBy(
  values: Values,
  env: NodeJS.ProcessEnv,
  path: (text: string) => string,
  storagePath: string,
): string[] {
  const uncovered = [
    'rows that Arc still holds in its buffers are not in the backup: flush Arc first where that matters',
  ]
  if (values.get('tiered_storage.enabled') && values.get('tiered_storage.cold.enabled')) {
    uncovered.push('files that Arc has moved to its cold tier are not in the backup')
  }
  if (env.ARC_ENCRYPTION_KEY) {
    uncovered.push(
      'values in arc.db that are encrypted with ARC_ENCRYPTION_KEY can be read with that key only, which is in no backup',
    )
  }
  const warehouse = values.get('iceberg.warehouse').replace(/^file:\/\//, '')
  if (values.get('iceberg.enabled') && warehouse !== '' && !isWithin(realPath(path(warehouse)), storagePath)) {
    uncovered.push(`the Iceberg warehouse ${warehouse} lies outside the storage root and is not in the backup`)
  }
  return uncovered
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`))
}

/** Links resolved as far as the path exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path === dirname(path) ? path : join(realPath(dirname(path)), basename(path))
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function isNoSatellite(path: string): boolean {
  return !/-(wal|shm|journal)$/.test(path)
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Secret)) {
    for (const part of Object.values(value)) freeze(part)
    Object.freeze(value)
  }
  return value
}

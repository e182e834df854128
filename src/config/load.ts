import { resolve } from 'node:path'
import { announceOf } from './announce.js'
import { type Config, Secret } from './config.js'
import { databasesOf, uncoveredBy } from './contents.js'
import { excludedFrom, stateOf, storageOf } from './folders.js'
import { serverOf } from './listen.js'
import { scheduleOf } from './schedule.js'
import { findConfigFile, parseConfig, readConfigFile, searchFolders } from './source.js'
import { targetsOf } from './targets.js'
import { Values } from './values.js'

export interface LoadOptions {
  /** A file to load instead of the first one in Arc's folders. */
  readonly file?: string
  readonly env?: NodeJS.ProcessEnv
  /** Relative paths start here, as Arc's do. */
  readonly cwd?: string
  /** Default: `HOME` of the environment, as Arc has it. */
  readonly home?: string
}

/** Arc's words for a level that our log has under another name. */
const otherLevels = { warning: 'warn', panic: 'fatal' } as const

/**
 * The configuration: `ARC_*` over `arc.toml` over the defaults.
 *
 * @throws CONFIG_INVALID naming every key that is wrong, where it stands, its value (never a secret's), and what was expected
 */
export function loadConfig(options: LoadOptions = {}): Config {
  const { env = process.env, cwd = process.cwd() } = options
  const { home = env.HOME } = options
  const toPath = (given: string): string => resolve(cwd, given)
  const file =
    options.file === undefined ? findConfigFile(searchFolders(cwd, home)) : readConfigFile(toPath(options.file))
  const values = new Values(file, env)
  const { settings, warnings } = values
  const storage = storageOf(values, toPath)
  const databases = databasesOf(values, toPath)
  const { targets, defaultTarget } = targetsOf(values, toPath, storage)
  const statePath = stateOf(values, toPath, storage.localPath, targets)
  const level = settings['log.level']
  const token = settings['auth.bootstrap_token']
  const config: Config = {
    file: file?.path ?? null,
    log: {
      level: level === 'warning' || level === 'panic' ? otherLevels[level] : level,
      format: settings['log.format'],
    },
    server: serverOf(values, toPath),
    auth: {
      enabled: settings['auth.enabled'],
      dbPath: toPath(settings['auth.db_path']),
      cacheTtlMs: settings['auth.cache_ttl'] * 1000,
      maxCacheSize: settings['auth.max_cache_size'],
      bootstrapToken: token ? new Secret(token) : null,
    },
    storage,
    databases,
    backup: {
      enabled: settings['backup.enabled'],
      targets,
      defaultTarget,
      includeConfig: targets.every(({ store }) => store.kind === 'local'),
      statePath,
      operationTimeoutMs: settings['backup.operation_timeout'],
      onInterrupt: settings['backup.on_interrupt'],
      incremental: settings['backup.incremental'],
      rehashAfterMs: settings['backup.rehash_after'],
      keepReplacedMs: settings['backup.keep_replaced'],
      lockTtlMs: settings['backup.lock_ttl'],
      workers: workersOf(values),
      memoryLimit: settings['backup.memory_limit'],
      bandwidthLimit: settings['backup.bandwidth_limit'],
      priority: settings['backup.priority'],
      transfers: settings['backup.transfers'] ?? null,
      maxSkipped: settings['backup.max_skipped'],
      settlePasses: settings['backup.settle_passes'],
      schedule: scheduleOf(values, { targets, defaultTarget }),
      announce: announceOf(values, toPath),
    },
    excluded: excludedFrom(values, toPath, storage.localPath, targets, statePath, databases),
    uncovered: uncoveredBy(values, toPath, storage.localPath),
    warnings,
  }
  values.check()
  return freezeDeep(config)
}

/**
 * Could this text be loaded as `arc.toml`? A restored one must not keep Arc or this service from starting. Files and folders that it names may be
 * missing: it may have been written on another machine.
 *
 * @param env what it leaves to the environment, credentials above all, is taken from here
 * @throws CONFIG_INVALID
 */
export function checkConfigText(toml: string, env: NodeJS.ProcessEnv = process.env): void {
  const file = parseConfig(toml, 'arc.toml')
  // What the environment hides today can come to light tomorrow.
  new Values(file, {}).check()
  const values = new Values(file, env)
  const toPath = (given: string): string => resolve(given)
  scheduleOf(values, targetsOf(values, toPath, storageOf(values, toPath)))
  values.check()
}

/** Low priority leaves half of the cores to others, unless the number is set. */
function workersOf(values: Values): number {
  const { 'backup.workers': workers, 'backup.priority': priority } = values.settings
  return priority === 'low' && !values.has('backup.workers') ? Math.max(1, Math.floor(workers / 2)) : workers
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) freezeDeep(part)
  return Object.freeze(value)
}

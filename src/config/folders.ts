import { basename, dirname } from 'node:path'
import { azureOf } from './azure-store.js'
import type { Config } from './config.js'
import { isWithin, realPath } from './paths.js'
import { s3Of } from './s3-store.js'
import { type SettingsKey, targetsTable } from './settings.js'
import { localTarget } from './target-names.js'
import type { Values } from './values.js'

/** Arc refuses these as storage, and everything below them. */
const systemFolders = ['/etc', '/usr', '/bin', '/sbin', '/boot', '/proc', '/sys', '/dev']
/** Arc refuses /root with all that is below it; here only /root itself, because on a machine of one's own a trial often runs in root's home. */
const refusedThemselves = ['/', '/root']

const backupId = /^backup-\d{8}-\d{6}-[a-f0-9]{8}$/

/** Arc's files. A root on local disk has its links resolved, as Arc does. */
export function storageOf(values: Values, toPath: (given: string) => string): Config['storage'] {
  const { settings } = values
  const backend = settings['storage.backend']
  if (backend === 's3' || backend === 'minio') return { store: s3Of(values, 'storage'), localPath: null }
  if (backend === 'azure' || backend === 'azblob') return { store: azureOf(values, 'storage'), localPath: null }
  if (settings['storage.local_path'] === '') values.refuse('storage.local_path', 'a path')
  const lexical = toPath(settings['storage.local_path'])
  const root = realPath(lexical)
  for (const path of [lexical, root]) {
    if (refusedThemselves.includes(path) || systemFolders.some((folder) => isWithin(path, folder))) {
      values.refuse('storage.local_path', `a folder of its own; ${path} belongs to the system`)
    }
  }
  return { store: { kind: 'local', root }, localPath: root }
}

/** The service's own records, links resolved: they neither hold the storage root, where the sweep of debris would reach into live data, nor lie in a backup. */
export function stateOf(
  values: Values,
  toPath: (given: string) => string,
  storage: string | null,
  targets: Config['backup']['targets'],
): string {
  const key = 'backup.state_path'
  const path = realPathOf(values, key, toPath)
  if (storage !== null && values.holds(key, 'storage.local_path') && isWithin(storage, path)) {
    values.refuse(key, `a folder that is neither the storage root ${storage} nor above it`)
  }
  for (const [name, root] of localRoots(targets)) {
    const placedBy = name === localTarget ? 'backup.local_path' : (`${targetsTable}.${name}.local_path` as const)
    if (!values.holds(key, placedBy)) continue
    if (path === root) values.refuse(key, `another folder than ${placedBy}`)
    else if (isInBackup(path, root)) {
      values.refuse(key, 'a folder outside every backup: deleting that backup would delete it')
    }
  }
  return path
}

function localRoots(targets: Config['backup']['targets']): [name: string, root: string][] {
  return targets.flatMap(({ name, store }) => (store.kind === 'local' ? [[name, store.root]] : []))
}

function isInBackup(path: string, destination: string): boolean {
  let inside = path
  while (isWithin(inside, destination) && inside !== destination) {
    if (dirname(inside) === destination) return backupId.test(basename(inside))
    inside = dirname(inside)
  }
  return false
}

/**
 * What lies inside the storage root and is no data. Arc's packages put the storage root at the folder that holds backups and `arc.db` too: each
 * backup would hold all earlier ones. One warning names them all.
 */
export function excludedFrom(
  values: Values,
  toPath: (given: string) => string,
  storage: string | null,
  targets: Config['backup']['targets'],
  statePath: string,
  databases: Config['databases'],
): string[] {
  if (storage === null) return []
  // backup.local_path is no target where another has its name, but may still hold backups.
  const others = (
    [
      'backup.local_path',
      'wal.directory',
      'cluster.raft_data_dir',
      'compaction.temp_directory',
      'database.temp_directory',
    ] as const
  ).flatMap((key) => (values.settings[key] === '' ? [] : [realPathOf(values, key, toPath)]))
  const files = databases.map(({ path }) => realPath(path))
  const backups = localRoots(targets).map(([, root]) => root)
  const inside = [...backups, statePath, ...files, ...others].filter(
    (path) => path !== storage && isWithin(path, storage),
  )
  if (inside.length > 0) {
    values.warnings.push(
      `these lie inside storage.local_path (${storage}) and are left out of every backup: ${[...new Set(inside)].join(', ')}`,
    )
  }
  // SQLite keeps its log, its index and its journal beside the file.
  const beside = (path: string): string[] =>
    files.includes(path) ? ['', '-wal', '-shm', '-journal'].map((end) => path + end) : [path]
  return [...new Set(inside.flatMap(beside))]
}

function realPathOf(values: Values, key: PathKey, toPath: (given: string) => string): string {
  return realPath(toPath(values.settings[key]))
}

type PathKey = Extract<SettingsKey, `${string}_path` | `${string}_directory` | `${string}_dir` | 'wal.directory'>

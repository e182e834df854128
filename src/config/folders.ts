import { basename, dirname } from 'node:path'
import type { Config } from './config.js'
import { isWithin, realPath } from './paths.js'
import type { Key } from './settings.js'
import type { Values } from './values.js'

/** Arc refuses these as storage, and everything below them. */
const systemFolders = ['/etc', '/usr', '/bin', '/sbin', '/boot', '/proc', '/sys', '/dev']
/** Arc refuses /root with all that is below it; here only /root itself, because on a machine of one's own a trial often runs in root's home. */
const refusedThemselves = ['/', '/root']

const backupId = /^backup-\d{8}-\d{6}-[a-f0-9]{8}$/

/** The storage root, links resolved, as Arc does. */
export function storageOf(values: Values, toPath: (given: string) => string): Config['storage'] {
  const { settings } = values
  if (settings['storage.backend'] !== 'local') {
    values.refuse('storage.backend', '"local": this version backs up local storage only')
  }
  const lexical = toPath(settings['storage.local_path'])
  const real = realPath(lexical)
  for (const path of [lexical, real]) {
    if (refusedThemselves.includes(path) || systemFolders.some((folder) => isWithin(path, folder))) {
      values.refuse('storage.local_path', `a folder of its own; ${path} belongs to the system`)
    }
  }
  return { localPath: real }
}

/** Destination and state, links resolved. Neither may hold the storage root: a backup, or the sweep of its debris, would reach into live data. */
export function backupFoldersOf(
  values: Values,
  toPath: (given: string) => string,
  storage: string,
): { localPath: string; statePath: string } {
  const [localPath, statePath] = [
    realPathOf(values, 'backup.local_path', toPath),
    realPathOf(values, 'backup.state_path', toPath),
  ]
  for (const [key, folder] of [
    ['backup.local_path', localPath],
    ['backup.state_path', statePath],
  ] as const) {
    if (values.holds(key, 'storage.local_path') && isWithin(storage, folder)) {
      values.refuse(key, `a folder that is neither the storage root ${storage} nor above it`)
    }
  }
  if (values.holds('backup.local_path', 'backup.state_path')) {
    if (statePath === localPath) values.refuse('backup.state_path', 'another folder than backup.local_path')
    else if (isInBackup(statePath, localPath)) {
      values.refuse('backup.state_path', 'a folder outside every backup: deleting that backup would delete it')
    }
  }
  return { localPath, statePath }
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
  storage: string,
  folders: { localPath: string; statePath: string },
  databases: Config['databases'],
): string[] {
  const arcsFolders = (
    ['wal.directory', 'cluster.raft_data_dir', 'compaction.temp_directory', 'database.temp_directory'] as const
  ).flatMap((key) => (values.settings[key] === '' ? [] : [realPathOf(values, key, toPath)]))
  const files = databases.map(({ path }) => realPath(path))
  const inside = [folders.localPath, folders.statePath, ...files, ...arcsFolders].filter(
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

type PathKey = Extract<Key, `${string}_path` | `${string}_directory` | `${string}_dir` | 'wal.directory'>

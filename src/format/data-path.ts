import { ServiceError } from '../errors.js'

/** What a storage path is to a backup. */
export type PathKind = 'parquet' | 'auxiliary' | 'excluded'

const marker = '.arc-database'
/** No file system takes a longer path, and no object store a longer key. */
const mostBytes = 4096
/** Names that Arc gives to Parquet files in the making. */
const unfinishedParquet = /\.parquet\.(?:part|tmp|new)$/
/** `db/measurement/YYYY/MM/DD/`, then `HH/` or nothing; on the hub of an edge sync the name of the spoke comes before it. */
const datedFolders = /^((?:[^/]+\/){2,3}(\d{4})\/(\d{2})\/(\d{2}))\/(?:(\d{2})\/)?[^/]+$/

/**
 * Parquet files, and what belongs to them: Iceberg metadata, schema anchors, compaction state, markers of databases; what a file is goes before how its
 * name ends. Hidden names are files in the making: Arc's own listing leaves them out too. So are the halves of Parquet files that Arc is writing
 * into a measurement that happens to be called `metadata`.
 */
export function classify(path: string): PathKind {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (hasHiddenFolder(path)) return 'excluded'
  if (name.startsWith('.')) return name === marker ? 'auxiliary' : 'excluded'
  if (path.startsWith('_schema/') || path.startsWith('_compaction_state/')) return auxiliaryUnlessUnfinished(name)
  if (name.endsWith('.parquet')) return 'parquet'
  return path.includes('/metadata/') ? auxiliaryUnlessUnfinished(name) : 'excluded'
}

/** Is nothing in this folder (ending in `/`) ever backed up? */
export function isExcludedFolder(folder: string): boolean {
  return folder.startsWith('.') || folder.includes('/.')
}

/** The database that a storage path belongs to: its first segment, but for folders that are kept for all databases together. */
export function databaseOf(path: string): string {
  const segments = path.split('/', 4)
  const place = segments[0] === '_schema' ? 1 : segments[0] === '_compaction_state' ? 2 : 0
  // The last segment is the file's name: a file right inside such a folder belongs to no database.
  const database = place < segments.length - 1 ? segments[place] : segments[0]
  return database ?? path
}

/** Arc's rule: the second segment; a file at the root has none. */
export function measurementOf(path: string): string {
  return path.split('/', 2)[1] ?? 'unknown'
}

/** `db/measurement/YYYY/MM/DD` of a file in an hour's or a day's folder; null elsewhere. */
export function dayPartitionOf(path: string): string | null {
  return datedFolders.exec(path)?.[1] ?? null
}

/** The same for what is data: what Arc keeps for all databases together is in no partition, however it is named. */
export function dataPartitionOf(path: string): string | null {
  return path.startsWith('_schema/') || path.startsWith('_compaction_state/') ? null : dayPartitionOf(path)
}

/** Start of the hour or day that a file's folder stands for, RFC 3339 in UTC; null elsewhere, and where there is no such day. */
export function partitionTimeOf(path: string): string | null {
  const found = datedFolders.exec(path)
  if (!found) return null
  const [, , year, month, day, hour = '00'] = found
  return isDay(Number(year), Number(month), Number(day)) && hour < '24'
    ? `${year}-${month}-${day}T${hour}:00:00Z`
    : null
}

/**
 * Names in a backup are untrusted: one that could lead out of the root that it is joined to, or that names another file once it is on disk, is refused.
 * Backslashes and control characters are legal in a Linux name: a backup that has such a file must be restorable. So must one with names that an object
 * store takes and a disk does not, for they are too long.
 *
 * @throws PATH_UNSAFE
 */
export function assertSafePath(path: string): void {
  const why = flawOf(path)
  if (why === null) return
  const shown = JSON.stringify(path.length > 300 ? `${path.slice(0, 300)}…` : path)
  throw new ServiceError('PATH_UNSAFE', `the backup names a file ${shown}: ${why}`, { path: path.slice(0, 300) })
}

function flawOf(path: string): string | null {
  if (path === '') return 'a name must not be empty'
  if (path.startsWith('/')) return 'a name must be relative'
  if (path.includes('\0')) return 'a name must not hold NUL'
  // No UTF-16 unit takes more than three bytes.
  if (path.length * 3 > mostBytes && Buffer.byteLength(path) > mostBytes)
    return `a name must not have more than ${mostBytes} bytes`
  // What is not UTF-8 was decoded to U+FFFD, what is half of a UTF-16 pair would be written as U+FFFD: neither names the file that was meant.
  if (/[\p{Surrogate}\ufffd]/u.test(path)) return 'a name must be valid UTF-8'
  let from = 0
  while (from <= path.length) {
    const slash = path.indexOf('/', from)
    const end = slash === -1 ? path.length : slash
    const flaw = flawOfSegment(path, from, end)
    if (flaw !== null) return flaw
    from = end + 1
  }
  return null
}

function flawOfSegment(path: string, from: number, end: number): string | null {
  const length = end - from
  if (length === 0) return 'a name must not have empty segments'
  if (length <= 2 && path.startsWith('.', from) && path[end - 1] === '.')
    return 'a name must not have "." or ".." segments'
  return null
}

function auxiliaryUnlessUnfinished(name: string): PathKind {
  return unfinishedParquet.test(name) ? 'excluded' : 'auxiliary'
}

function hasHiddenFolder(path: string): boolean {
  return path.startsWith('.') ? path.includes('/') : /\/\.[^/]*\//.test(path)
}

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

import { ServiceError } from '../errors.js'

/** What a storage path is to a backup. */
export type PathKind = 'parquet' | 'auxiliary' | 'excluded'

const marker = '.arc-database'
/** Names that Arc gives to files in the making. */
const temporaryEnds = ['.part', '.tmp', '.new']
const segmentBytes = 255

/**
 * Parquet files, and what belongs to them: Iceberg metadata, schema anchors, compaction state, markers of databases. Hidden names are files in the making:
 * Arc's own listing leaves them out too.
 */
export function classify(path: string): PathKind {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name === marker) return hasHiddenFolder(path) ? 'excluded' : 'auxiliary'
  if (name.startsWith('.') || hasHiddenFolder(path)) return 'excluded'
  if (path.startsWith('_schema/') || path.startsWith('_compaction_state/'))
    return isTemporary(name) ? 'excluded' : 'auxiliary'
  if (name.endsWith('.parquet')) return 'parquet'
  if (path.includes('/metadata/')) return isTemporary(name) ? 'excluded' : 'auxiliary'
  return 'excluded'
}

/** Is nothing in this folder (ending in `/`) ever backed up? */
export function isExcludedFolder(folder: string): boolean {
  return folder.startsWith('.') || folder.includes('/.')
}

/** The database that a storage path belongs to: its first segment, but for folders that are kept for all databases together. */
export function databaseOf(path: string): string {
  const segments = path.split('/', 4)
  if (segments[0] === '_schema') return segments[1] ?? path
  if (segments[0] === '_compaction_state') return segments[2] ?? path
  return segments[0] ?? path
}

/** Arc's rule: the second segment; a file at the root has none. */
export function measurementOf(path: string): string {
  return path.split('/', 2)[1] ?? 'unknown'
}

/** `db/measurement/YYYY/MM/DD` of a file in an hour's or a day's folder; null elsewhere. */
export function dayPartitionOf(path: string): string | null {
  return /^[^/]+\/[^/]+\/\d{4}\/\d{2}\/\d{2}(?=\/)/.exec(path)?.[0] ?? null
}

/** Start of the hour or day that a file's folder stands for, RFC 3339 in UTC; null elsewhere. */
export function partitionTimeOf(path: string): string | null {
  const found = /^[^/]+\/[^/]+\/(\d{4})\/(\d{2})\/(\d{2})\/(?:(\d{2})\/)?[^/]+$/.exec(path)
  return found ? `${found[1]}-${found[2]}-${found[3]}T${found[4] ?? '00'}:00:00Z` : null
}

/**
 * Names in a backup are untrusted: one that could lead out of the root that it is joined to is refused.
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
  for (const segment of path.split('/')) {
    if (segment === '') return 'a name must not have empty segments'
    if (segment === '.' || segment === '..') return 'a name must not have "." or ".." segments'
    if (segment.length * 3 > segmentBytes && Buffer.byteLength(segment) > segmentBytes) {
      return `a segment must not have more than ${segmentBytes} bytes`
    }
  }
  return null
}

function isTemporary(name: string): boolean {
  return temporaryEnds.some((end) => name.endsWith(end))
}

function hasHiddenFolder(path: string): boolean {
  return path.startsWith('.') ? path.includes('/') : /\/\.[^/]*\//.test(path)
}

import type { Failure } from '../errors.js'
import { databaseOf } from '../format/data-path.js'
import { backupPaths } from '../format/layout.js'
import type { SidecarEntry } from '../format/sidecar.js'
import { type Batch, type BatchFile, packBatches } from './batch.js'
import { entriesIn, type Placed } from './sidecar-lines.js'
import { storagePathOf } from './sidecar-runs.js'
import { allocated } from './space.js'
import { isLeftOut } from './walk.js'

/** Which data files of a backup are wanted. Plain data: it goes to the threads. */
export interface Rules {
  readonly data: boolean
  /** Only these databases; absent means all. */
  readonly databases?: readonly string[]
  /** Storage paths whose places belong to Arc itself or to us, without a slash at the end. */
  readonly excluded: readonly string[]
}

/** Files that are wanted, and what they come to. */
export interface Selection {
  readonly batches: readonly Batch[]
  readonly databases: readonly string[]
  /** Files whose places belong to somebody else. */
  readonly leftOut: number
  readonly files: number
  readonly bytes: number
  /** Bytes on a disk, of all and of the largest one (its length). */
  readonly allocated: number
  readonly largest: number
}

/** A file of a backup that is no data: its place there, and what is on record of it. */
export interface Part {
  /** Path inside the backup. */
  readonly path: string
  readonly size?: number
  readonly sha256?: string
}

/** Reads a part of a list of files on this machine (bytes), as `SidecarWriter` writes it. */
export interface SelectTask {
  readonly kind: 'select'
  readonly file: string
  readonly start: number
  readonly end: number
  /** Absent: every file, data or not, by its path inside the backup. */
  readonly rules?: Rules
}

export interface Selected {
  readonly selection: Selection
  readonly parts: readonly Part[]
  /** Entries that were read, wanted or not. */
  readonly entries: number
}

/** A failure as a value: its class and code would be lost at the thread boundary. */
export type SelectOutcome = Selected | { readonly failure: Failure }

/** The thread's part. Blocks it. @throws MANIFEST_INVALID, PATH_UNSAFE */
export function selectEntries({ file, start, end, rules }: SelectTask): Selected {
  return selectFrom(entriesOnly(entriesIn(file, start, end)), rules)
}

export function selectFrom(list: Iterable<SidecarEntry>, rules: Rules | undefined): Selected {
  if (!rules) return selectAll(list)
  const files: BatchFile[] = []
  const parts: Part[] = []
  let entries = 0
  for (const entry of list) {
    entries += 1
    const path = storagePathOf(entry)
    const { size_bytes: size, sha256, source_mtime_ns: mtime = 0, source_etag: etag } = entry
    if (path === null) parts.push({ path: entry.path, size, sha256 })
    else files.push({ path, size, sha256, mtimeNs: BigInt(mtime), ...(etag !== undefined && { etag }) })
  }
  return { selection: select(files, rules), parts, entries }
}

function selectAll(list: Iterable<SidecarEntry>): Selected {
  const files: BatchFile[] = []
  for (const { list: of, path, size_bytes: size, sha256 } of list) {
    files.push({ path: of === 'files' ? backupPaths.data + path : path, size, sha256, mtimeNs: 0n })
  }
  return { selection: selectionOf(files, 0), parts: [], entries: files.length }
}

function* entriesOnly(placed: Iterable<Placed>): Generator<SidecarEntry, void, undefined> {
  for (const { entry } of placed) yield entry
}

export function select(files: readonly BatchFile[], rules: Rules): Selection {
  const wanted: BatchFile[] = []
  const scope = rules.databases && new Set(rules.databases)
  const excluded = new Set(rules.excluded)
  let leftOut = 0
  for (const file of rules.data ? files : []) {
    const database = databaseOf(file.path)
    if (scope && !scope.has(database)) continue
    if (isTaken(file.path, excluded)) {
      leftOut += 1
      continue
    }
    wanted.push(file)
  }
  return selectionOf(wanted, leftOut)
}

function selectionOf(wanted: readonly BatchFile[], leftOut: number): Selection {
  const databases = new Set<string>()
  let [bytes, onDisk, largest] = [0, 0, 0]
  for (const { path, size } of wanted) {
    databases.add(databaseOf(path))
    bytes += size
    onDisk += allocated(size)
    largest = Math.max(largest, size)
  }
  const batches = packBatches(wanted)
  return { batches, databases: [...databases], leftOut, files: wanted.length, bytes, allocated: onDisk, largest }
}

/** Would this file land in a place that Arc or we keep inside the storage root? */
function isTaken(path: string, excluded: ReadonlySet<string>): boolean {
  if (isLeftOut(path, excluded)) return true
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    if (isLeftOut(path.slice(0, slash + 1), excluded)) return true
  }
  return false
}

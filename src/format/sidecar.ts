import { setImmediate as nextTurn } from 'node:timers/promises'
import { ServiceError } from '../errors.js'
import { formatTime } from './backup-id.js'
import { assertSafePath, partitionTimeOf } from './data-path.js'
import { JsonLists } from './json-lists.js'

/** What only our own lists say of an entry, beside Arc's keys. */
export interface Provenance {
  /** Nanoseconds since the epoch; text, because it exceeds what a JSON number holds exactly. */
  readonly source_mtime_ns?: string
  /** The source's version tag of the content, where it has one. */
  readonly source_etag?: string
  /** The target's version tag of the copy, where it has one. */
  readonly copy_etag?: string
  /** When the SHA-256 was taken (RFC 3339), where that was not when this backup was made: the copy is one that an earlier backup has, too. */
  readonly hashed_at?: string
  /** `etag`: the copy is one that the service made of the version that was hashed; it was not hashed itself. Absent: it was. */
  readonly proof?: 'etag'
}

/** A data file as it is written; `path` is its storage path. */
export interface SidecarFile extends Provenance {
  readonly path: string
  /** Lower-case hex, of the copy in the backup. */
  readonly sha256: string
  readonly size_bytes: number
  readonly database: string
  readonly measurement: string
  readonly source_mtime_ns: string
}

/** Any other file; `path` is relative to the backup's folder. */
export interface SidecarOther extends Provenance {
  readonly path: string
  readonly kind: keyof typeof foldersOfKind
  readonly sha256: string
  readonly size_bytes: number
}

/** An entry as it was read, whoever wrote it: `files` have storage paths, `other_files` paths relative to the backup's folder. */
export interface SidecarEntry extends Provenance {
  readonly list: 'files' | 'other_files'
  readonly path: string
  readonly sha256: string
  readonly size_bytes: number
}

const optionalKeys = ['source_etag', 'copy_etag', 'hashed_at', 'proof'] as const satisfies (keyof Provenance)[]

/** Where in a backup files of each kind are; `auxiliary` is what is in the storage and no data. */
const foldersOfKind = { auxiliary: 'data/', metadata: 'metadata/', config: 'config/' } as const

/**
 * Makes the text of `manifest-files.json` piece by piece, one entry a line, so that nothing but the line at hand is held: `header`, then `file` for each data
 * file, `startOther`, `other` for each other file, `footer`.
 */
export class SidecarWriter {
  #entries = 0
  #first = true
  #place: { folder: string; database: string; measurement: string; text: string } | null = null

  /** Entries written so far, of both lists. */
  get entries(): number {
    return this.#entries
  }

  header(): string {
    return '{"version":1,"from_cluster_manifest":false,"files":['
  }

  /** Arc's keys first. Built by hand: 1.5 µs an entry, and there may be millions. */
  file(entry: SidecarFile): string {
    const { path, sha256, size_bytes, database, measurement, source_mtime_ns } = entry
    // Arc reads these two as times and would refuse the whole list for one that is none: leave out what is not known.
    const created = timeField('created_at', creationTime(source_mtime_ns))
    let rest = ''
    for (const key of optionalKeys) if (entry[key] !== undefined) rest += `,"${key}":${JSON.stringify(entry[key])}`
    return this.#line(
      `{"path":${JSON.stringify(path)},"sha256":"${sha256}","size_bytes":${size_bytes},${this.#placeOf(path, database, measurement)}${created},"source_mtime_ns":"${source_mtime_ns}"${rest}}`,
    )
  }

  /** What is the same for all files of a folder, and these come one after another. */
  #placeOf(path: string, database: string, measurement: string): string {
    const last = this.#place
    const folder = path.slice(0, path.lastIndexOf('/'))
    if (last?.folder === folder && last.database === database && last.measurement === measurement) return last.text
    const names = `"database":${JSON.stringify(database)},"measurement":${JSON.stringify(measurement)}`
    const text = `${names}${timeField('partition_time', partitionTimeOf(path))}`
    this.#place = { folder, database, measurement, text }
    return text
  }

  startOther(): string {
    this.#first = true
    return '\n],"other_files":['
  }

  other(entry: SidecarOther): string {
    return this.#line(JSON.stringify(entry))
  }

  footer(): string {
    return '\n]}\n'
  }

  #line(json: string): string {
    const separator = this.#first ? '\n' : ',\n'
    this.#first = false
    this.#entries += 1
    return separator + json
  }
}

/** What an entry that was taken out said. */
export type CutEntry = Pick<SidecarFile, 'path' | 'size_bytes'> &
  Partial<Pick<SidecarFile, 'database' | 'measurement' | 'hashed_at'>>

/** Takes entries out of a text that `SidecarWriter` made from a first entry on. */
export function cutEntries(text: string, isOut: (path: string) => boolean): { rest: string; cut: CutEntry[] } {
  if (text === '') return { rest: '', cut: [] }
  const cut: CutEntry[] = []
  // One entry a line, and JSON has no line breaks of its own.
  const kept = text
    .slice(1)
    .split(',\n')
    .filter((line) => {
      const entry = JSON.parse(line) as CutEntry
      if (!isOut(entry.path)) return true
      cut.push(entry)
      return false
    })
  return { rest: kept.length === 0 ? '' : `\n${kept.join(',\n')}`, cut }
}

function timeField(key: string, time: string | null): string {
  return time === null ? '' : `,"${key}":"${time}"`
}

/** Arc never changes a file in place: when it was last modified is when it was made. Null outside the years that RFC 3339 can write. */
function creationTime(mtimeNs: string): string | null {
  const ns = BigInt(mtimeNs)
  return ns >= 0n && ns < 253_402_300_800_000_000_000n ? formatTime(ns) : null
}

/** Bytes read between two turns of the event loop: about 200 entries, half a millisecond. */
const pieceSize = 64 << 10
/** A path has at most 4,096 bytes, and none takes more than six characters in JSON. */
const limits = { element: 64 << 10, rest: 1 << 20 }

/**
 * Reads a sidecar of ours or of Arc's as a stream, in batches. Who reads the last batch has read a whole sidecar only when the loop ends without error.
 *
 * @throws MANIFEST_INVALID for what is not a sidecar, PATH_UNSAFE for a name that must not be followed
 */
export async function* parseSidecar(source: AsyncIterable<Buffer>): AsyncGenerator<SidecarEntry[], void, undefined> {
  const lists = new JsonLists(['files', 'other_files'], limits)
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; from += pieceSize) {
      const parts = reading(() => lists.push(chunk.subarray(from, from + pieceSize)))
      const batch = parts.flatMap(({ list, items }) => (list === 'files' ? items.map(readFile) : items.map(readOther)))
      if (batch.length > 0) yield batch
      await nextTurn()
    }
  }
  const rest = reading(() => lists.end())
  if (typeof rest !== 'object' || rest === null || Array.isArray(rest)) throw invalid('expected an object')
  const { version, files, other_files: others } = rest as Record<string, unknown>
  if (version !== 1) throw invalid(`expected version 1, not ${JSON.stringify(version)}`)
  for (const [name, list] of Object.entries({ files, other_files: others })) {
    // A list was taken out before; Go writes an empty one as null.
    if (list !== undefined && list !== null && !(Array.isArray(list) && list.length === 0)) {
      throw invalid(`expected ${name} to be a list`)
    }
  }
}

function reading<T>(step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error)
  }
}

function readFile(value: unknown): SidecarEntry {
  return readEntry(value as Record<string, unknown> | null, 'files')
}

function readOther(value: unknown): SidecarEntry {
  const entry = readEntry(value as Record<string, unknown> | null, 'other_files')
  const folder = Object.entries(foldersOfKind).find(([kind]) => kind === (value as { kind?: unknown }).kind)?.[1]
  if (folder !== undefined && entry.path.startsWith(folder) && entry.path !== folder) return entry
  throw invalid(
    `${JSON.stringify(entry.path)} is not in the folder of its kind: expected auxiliary in data/, metadata in metadata/, config in config/`,
  )
}

function readEntry(value: Record<string, unknown> | null, list: SidecarEntry['list']): SidecarEntry {
  // A number has no path either; only null can't be asked.
  const { path, sha256, size_bytes: size, source_mtime_ns: mtime, proof } = value ?? {}
  if (typeof path !== 'string') throw invalid(`expected each entry of ${list} to be an object with a path`)
  assertSafePath(path)
  const expected = (what: string): ServiceError => invalid(`expected ${what} for ${JSON.stringify(path)} in ${list}`)
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw expected('sha256, 64 lower-case hex digits,')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw expected('size_bytes, a number of bytes,')
  const entry: { -readonly [Key in keyof SidecarEntry]: SidecarEntry[Key] } = { list, path, sha256, size_bytes: size }
  if (mtime !== undefined) {
    if (typeof mtime !== 'string' || !/^-?\d{1,30}$/.test(mtime)) throw expected('source_mtime_ns, a text of digits,')
    entry.source_mtime_ns = mtime
  }
  for (const key of ['source_etag', 'copy_etag', 'hashed_at'] as const) {
    const text = value?.[key]
    if (text === undefined) continue
    if (typeof text !== 'string') throw expected(`${key}, a text,`)
    entry[key] = text
  }
  if (proof === 'etag') entry.proof = proof
  return entry
}

/**
 * One line of a list that `SidecarWriter` wrote; null for one that holds no entry.
 *
 * @throws as `parseSidecar`
 */
export function readLine(line: string): SidecarEntry | null {
  if (!line.startsWith('{"path":')) return null
  const value = reading(() => JSON.parse(line.endsWith(',') ? line.slice(0, -1) : line)) as Record<string, unknown>
  return value.kind === undefined ? readFile(value) : readOther(value)
}

function invalid(why: string, cause?: unknown): ServiceError {
  return new ServiceError('MANIFEST_INVALID', `the list of files (manifest-files.json) can't be used: ${why}`, {
    cause,
  })
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { JSONParser } from '@streamparser/json'
import { ServiceError } from '../errors.js'
import { assertSafePath, partitionTimeOf } from './data-path.js'

/** A data file as the sidecar has it; paths are storage paths. */
export interface SidecarFile {
  readonly path: string
  readonly sha256: string
  readonly size_bytes: number
  readonly database: string
  readonly measurement: string
  /** Nanoseconds since the epoch; text, because it exceeds what a JSON number holds exactly. */
  readonly source_mtime_ns: string
}

/** Any other file; paths are relative to the backup's folder. */
export interface SidecarOther {
  readonly path: string
  readonly kind: 'auxiliary' | 'metadata' | 'config'
  readonly sha256: string
  readonly size_bytes: number
  readonly source_mtime_ns?: string
}

/** An entry as it was read, whoever wrote it. */
export interface SidecarEntry {
  readonly list: 'files' | 'other_files'
  readonly path: string
  readonly sha256: string
  readonly size_bytes: number
  readonly source_mtime_ns?: string
}

/** Makes the text of `manifest-files.json` piece by piece: one entry a line, so that nothing but the line at hand is held. */
export class SidecarWriter {
  #entries = 0
  #first = true

  get entries(): number {
    return this.#entries
  }

  header(): string {
    return '{"version":1,"from_cluster_manifest":false,"files":['
  }

  file(entry: SidecarFile): string {
    const { path, sha256, size_bytes, database, measurement, source_mtime_ns } = entry
    const time = partitionTimeOf(path)
    const partition = time === null ? '' : `,"partition_time":"${time}"`
    const names = `"database":${JSON.stringify(database)},"measurement":${JSON.stringify(measurement)}`
    return this.#line(
      `{"path":${JSON.stringify(path)},"sha256":"${sha256}","size_bytes":${size_bytes},${names}${partition},"source_mtime_ns":"${source_mtime_ns}"}`,
    )
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

/**
 * Reads a sidecar of ours or of Arc's as a stream, in batches of whatever one chunk of input held.
 *
 * @throws MANIFEST_INVALID for what is not a sidecar, PATH_UNSAFE for a name that must not be followed
 */
export async function* parseSidecar(source: AsyncIterable<Buffer>): AsyncGenerator<SidecarEntry[], void, undefined> {
  const parser = new JSONParser({ paths: ['$.files.*', '$.other_files.*'], keepStack: false })
  let batch: SidecarEntry[] = []
  let ended = false
  parser.onValue = ({ value, stack }) => {
    batch.push(entryOf(value, stack[1]?.key === 'files' ? 'files' : 'other_files'))
  }
  parser.onEnd = () => {
    ended = true
  }
  try {
    for await (const chunk of source) {
      parser.write(chunk)
      if (batch.length > 0) yield batch
      batch = []
      await nextTurn()
    }
  } catch (error) {
    if (error instanceof ServiceError) throw error
    throw invalid(error instanceof Error ? error.message : String(error))
  }
  if (!ended) throw invalid('it ends in the middle')
}

function entryOf(value: unknown, list: SidecarEntry['list']): SidecarEntry {
  if (typeof value !== 'object' || value === null) throw invalid(`an entry of ${list} is not an object`)
  const { path, sha256, size_bytes, source_mtime_ns: mtime } = value as Record<string, unknown>
  if (typeof path !== 'string') throw invalid(`an entry of ${list} has no path`)
  assertSafePath(path)
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256))
    throw invalid(`${JSON.stringify(path)} has no SHA-256`)
  if (!Number.isSafeInteger(size_bytes) || Number(size_bytes) < 0) throw invalid(`${JSON.stringify(path)} has no size`)
  if (mtime !== undefined && (typeof mtime !== 'string' || !/^-?\d{1,19}$/.test(mtime))) {
    throw invalid(`${JSON.stringify(path)} has a source_mtime_ns that is not a number of nanoseconds`)
  }
  return { list, path, sha256, size_bytes: Number(size_bytes), ...(mtime !== undefined && { source_mtime_ns: mtime }) }
}

function invalid(why: string): ServiceError {
  return new ServiceError('MANIFEST_INVALID', `the list of files (manifest-files.json) can't be used: ${why}`)
}

import type { Failure } from '../errors.js'

/**
 * Some files as a few values. Strings and objects of single files are dear at every boundary (structured clone, SQLite, garbage): a batch crosses each as
 * one text and a few arrays, and the main thread never looks inside.
 */
export interface Batch {
  /** Paths joined by NUL, which no path can hold. */
  readonly paths: string
  /** Bytes of each. */
  readonly sizes: Float64Array
  /** Modification times, nanoseconds since the epoch. */
  readonly mtimesNs: BigInt64Array
  /** SHA-256 of each, 32 bytes; empty where none is on record. */
  readonly sha256: Uint8Array
  /** Version tags joined by NUL, where the store has them. */
  readonly etags?: string
}

/** What became of a file; 0 where nothing did so far. */
export const fileStates = { done: 1, leftAlone: 2 } as const

/** One file of a batch. */
export interface BatchFile {
  readonly path: string
  readonly size: number
  readonly mtimeNs: bigint
  /** Hex. */
  readonly sha256?: string
  /** The store's version tag of the content, where it has one. */
  readonly etag?: string
}

/** What went wrong with one file of a batch. */
export interface BatchFailure {
  readonly index: number
  readonly failure: Failure
}

/** At most this many files, or about this many bytes, go to a thread at once: a task costs 80 µs, a small file 30 µs. */
const mostFiles = 256
const mostBytes = 32 << 20
const hashBytes = 32

/** Files as batches for the threads; a large file is one by itself. */
export function packBatches(files: readonly BatchFile[]): Batch[] {
  const batches: Batch[] = []
  let [start, bytes] = [0, 0]
  for (const [index, { size }] of files.entries()) {
    if (index > start && (index - start >= mostFiles || bytes + size > mostBytes)) {
      batches.push(pack(files.slice(start, index)))
      start = index
      bytes = 0
    }
    bytes += size
  }
  if (files.length > start) batches.push(pack(files.slice(start)))
  return batches
}

export function pack(files: readonly BatchFile[]): Batch {
  const hashed = files.length > 0 && files.every(({ sha256 }) => sha256 !== undefined)
  return {
    paths: files.map(({ path }) => path).join('\0'),
    sizes: Float64Array.from(files, ({ size }) => size),
    mtimesNs: BigInt64Array.from(files, ({ mtimeNs }) => mtimeNs),
    // A copy of its own: small buffers are slices of a pool that must not cross to another thread.
    sha256: hashed ? Uint8Array.from(Buffer.from(files.map(({ sha256 }) => sha256).join(''), 'hex')) : new Uint8Array(),
    ...(files.some(({ etag }) => etag !== undefined) && { etags: files.map(({ etag = '' }) => etag).join('\0') }),
  }
}

export function pathsOf(batch: Pick<Batch, 'paths'>): string[] {
  return batch.paths === '' ? [] : batch.paths.split('\0')
}

export function unpack(batch: Batch): BatchFile[] {
  const hashes = Buffer.from(batch.sha256.buffer, batch.sha256.byteOffset, batch.sha256.byteLength).toString('hex')
  const etags = etagsOf(batch)
  // An object made in one piece: put together from optional ones it cost a small file a microsecond, and garbage.
  return pathsOf(batch).map((path, index) => {
    const [size, mtimeNs, etag] = [batch.sizes[index] ?? 0, batch.mtimesNs[index] ?? 0n, etags[index]]
    if (hashes === '') return etag ? { path, size, mtimeNs, etag } : { path, size, mtimeNs }
    const sha256 = hashes.slice(index * hashBytes * 2, (index + 1) * hashBytes * 2)
    return etag ? { path, size, mtimeNs, sha256, etag } : { path, size, mtimeNs, sha256 }
  })
}

/** Empty where the store has none. */
export function etagsOf({ etags = '' }: Batch): string[] {
  return etags === '' ? [] : etags.split('\0')
}

export function bytesOf(batch: Batch): number {
  let bytes = 0
  for (const size of batch.sizes) bytes += size
  return bytes
}

import { retry } from '../stores/retry.js'
import type { Recorded, Store, UploadNotes } from '../stores/store.js'
import type { BatchFile } from './batch.js'
import type { Moved } from './report.js'
import { entriesIn } from './sidecar-lines.js'
import { storagePathOf } from './sidecar-runs.js'

/** What a thread needs to take files of a batch from an earlier backup in the same target: plain data. */
export interface Reuse {
  /** The earlier backup's list of files, on this machine. */
  readonly file: string
  /** Where in it files of this batch may be: first bytes, and the first ones after. */
  readonly starts: Float64Array
  readonly ends: Float64Array
  /** Folder of its data files in the target, ending in a slash. */
  readonly prefix: string
  /** When the earlier backup was made: its files were hashed then, unless they say otherwise. RFC 3339. */
  readonly madeAt: string
  /** Files that were hashed before that are copied, and hashed, again (ms since the epoch). */
  readonly rehashBefore: number
  /** The same for single files, by their storage path: a copy with their hash was found damaged then. */
  readonly damage: ReadonlyMap<string, number>
}

/** What the earlier backup has of a file. */
export interface Known extends Recorded {
  /** Path in the target. */
  readonly path: string
  /** As the source was then: nanoseconds since the epoch, and its version tag where it has one. */
  readonly mtimeNs: string
  readonly sourceEtag: string | undefined
  /** RFC 3339. */
  readonly hashedAt: string
}

/** Files of the earlier backup that may be taken, by their storage path. Blocks its thread. */
export function readKnown({ file, starts, ends, prefix, madeAt, rehashBefore, damage }: Reuse): Map<string, Known> {
  const found = new Map<string, Known>()
  for (const [start, end] of joined(starts, ends)) {
    for (const { entry } of entriesIn(file, start, end)) {
      const path = storagePathOf(entry)
      const { source_mtime_ns: mtimeNs, hashed_at: hashedAt = madeAt, copy_etag: etag } = entry
      // Without a time there is nothing to tell a file that was rewritten by.
      if (path === null || mtimeNs === undefined) continue
      if (Date.parse(hashedAt) < Math.max(rehashBefore, damage.get(path) ?? 0)) continue
      found.set(path, {
        path: prefix + path,
        size: entry.size_bytes,
        sha256: entry.sha256,
        ...(etag !== undefined && { etag }),
        mtimeNs,
        sourceEtag: entry.source_etag,
        hashedAt,
      })
    }
  }
  return found
}

/** Has the source not changed since? A version tag says more than a time, which object stores know to the second only. */
export function isUnchanged(file: BatchFile, known: Known): boolean {
  if (file.size !== known.size) return false
  return known.sourceEtag === undefined ? String(file.mtimeNs) === known.mtimeNs : file.etag === known.sourceEtag
}

/** Gives the new backup the earlier one's copy of a file. Undefined where the store can't: then it has to be copied. */
export async function reuseFile(
  known: Known,
  to: Store,
  target: string,
  { check, ...noting }: UploadNotes & { check: () => void },
): Promise<Moved | undefined> {
  const duplicate = (): Promise<Awaited<ReturnType<NonNullable<Store['duplicate']>>>> | undefined =>
    to.duplicate?.(known.path, target, known, noting)
  const made = await (to.patience
    ? retry(async () => duplicate(), { timeoutMs: to.patience.retryTimeoutMs, check })
    : duplicate())
  if (!made) return undefined
  const { size, sha256, mtimeNs, sourceEtag, hashedAt } = known
  return {
    ...{ size, sha256, sourceMtimeNs: BigInt(mtimeNs) },
    ...(sourceEtag !== undefined && { sourceEtag }),
    ...(made.etag !== undefined && { etag: made.etag }),
    ...(made.serverSide && { serverSide: true as const }),
    reused: made.hashed
      ? { hashedAt: new Date().toISOString() }
      : { hashedAt, ...(made.serverSide && { proof: 'etag' as const }) },
  }
}

/** Runs that lie side by side are read as one. */
function* joined(starts: Float64Array, ends: Float64Array): Generator<[number, number], void, undefined> {
  let [start, end] = [-1, -1]
  for (const [index, next] of starts.entries()) {
    // A line break is between two lines.
    if (next > end + 1) {
      if (start !== -1) yield [start, end]
      start = next
    }
    end = ends[index] ?? next
  }
  if (start !== -1) yield [start, end]
}

import { classify, databaseOf, dataPartitionOf, measurementOf } from '../format/data-path.js'
import { backupPaths } from '../format/layout.js'
import { SidecarWriter } from '../format/sidecar.js'
import type { Copied } from '../stores/store.js'
import { type Batch, fileStates, pathsOf } from './batch.js'
import { PartitionPrints, type PrintRow } from './partition-prints.js'

const statesFolder = '_compaction_state/'

/** Files and bytes of one measurement. */
export interface Tally {
  readonly database: string
  readonly measurement: string
  files: number
  bytes: number
}

/** What a thread tells of the files of a batch that it copied for a backup: the main thread adds up, and never looks at a file. */
export interface Report {
  readonly tallies: readonly Tally[]
  /** Parquet files that are schema anchors, and their bytes. */
  readonly anchors: number
  readonly anchorBytes: number
  readonly compactionStates: number
  /** Files that an earlier backup had, and their bytes. */
  readonly reusedFiles: number
  readonly reusedBytes: number
  /** What is in the partitions, of the versions that were listed; and the state files of Arc's compaction. */
  readonly prints: readonly PrintRow[]
  readonly states: readonly string[]
  /** Partitions with a file that was copied in another version than the listed one. */
  readonly reread: readonly string[]
  /** Lines for the sidecar's list of data files, and of the others; as `SidecarWriter` makes them, from the first one on. */
  readonly files: string
  readonly others: string
  /** Entries in both. */
  readonly entries: number
}

/** A file that is in its place. */
export interface Moved extends Copied {
  /** It is an earlier backup's copy of the file, which was hashed then. */
  readonly reused?: { readonly hashedAt: string; readonly proof?: 'etag' }
}

export interface Reporter {
  /** @param listedMtimeNs of the version that was listed, where it matters whether that is the one that was copied */
  add(path: string, moved: Moved, listedMtimeNs?: bigint): void
  /** @param batch what was to be copied; `done` has a 1 for each file that was */
  end(batch?: Batch, done?: Uint8Array): Report
}

function heldOf(batch?: Batch, done?: Uint8Array): Pick<Report, 'prints' | 'states'> {
  if (!batch) return { prints: [], states: [] }
  const prints = new PartitionPrints()
  const isDone = (index: number): boolean => done?.[index] === fileStates.done
  prints.add(batch, isDone)
  const states = batch.paths.includes(statesFolder)
    ? pathsOf(batch).filter((path, index) => path.startsWith(statesFolder) && isDone(index))
    : []
  return { prints: prints.rows(), states }
}

export function reportOn(): Reporter {
  const [writer, otherWriter] = [new SidecarWriter(), new SidecarWriter()]
  const tallies = new Map<string, Tally>()
  const reread = new Set<string>()
  let [files, others, anchors, anchorBytes, compactionStates] = ['', '', 0, 0, 0]
  let [reusedFiles, reusedBytes] = [0, 0]
  // Files of one folder come one after another.
  let last: { folder: string; tally: Tally } | null = null
  const tallyOf = (path: string): Tally => {
    const folder = path.slice(0, path.lastIndexOf('/'))
    if (last?.folder === folder && folder.includes('/')) return last.tally
    const [database, measurement] = [databaseOf(path), measurementOf(path)]
    const key = `${database}/${measurement}`
    const tally = tallies.get(key) ?? { database, measurement, files: 0, bytes: 0 }
    tallies.set(key, tally)
    last = { folder, tally }
    return tally
  }
  return {
    add: (path, moved, listedMtimeNs) => {
      const { size, sha256, sourceMtimeNs, sourceEtag, etag: copyEtag, reused } = moved
      if (listedMtimeNs !== undefined && listedMtimeNs !== sourceMtimeNs && sourceEtag === undefined) {
        const partition = dataPartitionOf(path)
        if (partition !== null) reread.add(partition)
      }
      const source_mtime_ns = String(sourceMtimeNs)
      if (reused) {
        reusedFiles += 1
        reusedBytes += size
      }
      const own = {
        ...(sourceEtag !== undefined && { source_etag: sourceEtag }),
        ...(copyEtag !== undefined && { copy_etag: copyEtag }),
        ...(reused && { hashed_at: reused.hashedAt, ...(reused.proof && { proof: reused.proof }) }),
      }
      if (classify(path) !== 'parquet') {
        if (path.startsWith(statesFolder)) compactionStates += 1
        if (path.startsWith('_schema/') && path.endsWith('.parquet')) {
          anchors += 1
          anchorBytes += size
        }
        const entry = {
          path: `${backupPaths.data}${path}`,
          kind: 'auxiliary',
          sha256,
          size_bytes: size,
          source_mtime_ns,
          ...own,
        } as const
        others += otherWriter.other(entry)
        return
      }
      const tally = tallyOf(path)
      tally.files += 1
      tally.bytes += size
      const { database, measurement } = tally
      files += writer.file({ path, sha256, size_bytes: size, database, measurement, source_mtime_ns, ...own })
    },
    end: (batch, done) => ({
      ...heldOf(batch, done),
      reread: [...reread],
      tallies: [...tallies.values()],
      anchors,
      anchorBytes,
      compactionStates,
      reusedFiles,
      reusedBytes,
      files,
      others,
      entries: writer.entries + otherWriter.entries,
    }),
  }
}

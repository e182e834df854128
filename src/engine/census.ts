import type { Manifest } from '../format/manifest.js'
import { PartitionPrints } from './partition-prints.js'
import type { Report, Tally } from './report.js'

/** Adds up what the threads report. Grows with the number of measurements, never with that of files. */
export class Census {
  /** Entries of the sidecar so far. */
  entries = 0
  /** Files taken from an earlier backup so far, and their bytes. */
  reusedFiles = 0
  reusedBytes = 0
  /** What the backup holds of each partition, as long as nothing is taken out of it; and the state files of Arc's compaction. */
  readonly prints = new PartitionPrints()
  readonly states = new Set<string>()
  /** Partitions with a file that was rewritten before it was copied. */
  readonly reread = new Set<string>()
  readonly #tallies = new Map<string, Tally>()
  #anchors = 0
  #anchorBytes = 0
  #compactionStates = 0

  add(report: Report): void {
    this.entries += report.entries
    this.prints.merge(report.prints)
    for (const path of report.states) this.states.add(path)
    for (const partition of report.reread) this.reread.add(partition)
    this.reusedFiles += report.reusedFiles
    this.reusedBytes += report.reusedBytes
    this.#anchors += report.anchors
    this.#anchorBytes += report.anchorBytes
    this.#compactionStates += report.compactionStates
    for (const { database, measurement, files, bytes } of report.tallies) {
      const key = `${database}/${measurement}`
      const tally = this.#tallies.get(key) ?? { database, measurement, files: 0, bytes: 0 }
      tally.files += files
      tally.bytes += bytes
      this.#tallies.set(key, tally)
    }
  }

  /** Arc's totals: Parquet files, schema anchors among them. */
  totals(): Pick<
    Manifest,
    'databases' | 'total_files' | 'total_size_bytes' | 'auxiliary_files' | 'compaction_state_files'
  > {
    const databases = new Map<string, Manifest['databases'][number]>()
    // One that has no files any more lost them all while the backup was made.
    const sorted = [...this.#tallies.values()]
      .filter(({ files }) => files > 0)
      .sort((a, b) => (key(a) < key(b) ? -1 : 1))
    for (const { database, measurement, files, bytes } of sorted) {
      const entry = databases.get(database) ?? { name: database, measurements: [], file_count: 0, size_bytes: 0 }
      entry.measurements.push({ name: measurement, file_count: files, size_bytes: bytes })
      entry.file_count += files
      entry.size_bytes += bytes
      databases.set(database, entry)
    }
    const all = [...databases.values()]
    return {
      databases: all,
      total_files: all.reduce((sum, { file_count }) => sum + file_count, this.#anchors),
      total_size_bytes: all.reduce((sum, { size_bytes }) => sum + size_bytes, this.#anchorBytes),
      auxiliary_files: this.#anchors,
      compaction_state_files: this.#compactionStates,
    }
  }
}

function key({ database, measurement }: Tally): string {
  return `${database}\0${measurement}`
}

import { databaseOf, measurementOf } from '../format/data-path.js'
import type { Manifest } from '../format/manifest.js'
import type { FileOutcome, InventoryRow } from './inventory.js'

interface Tally {
  files: number
  bytes: number
}

/**
 * Counts copied files by database and measurement as they come in. Grows with the number of measurements, never with that of files: asking SQLite
 * at the end would stop the main thread for a second a million files.
 */
export class Census {
  readonly #databases = new Map<string, Map<string, Tally>>()
  readonly #parquet: Tally = { files: 0, bytes: 0 }
  #anchors = 0
  #compactionStates = 0

  count(row: InventoryRow, outcome: FileOutcome): void {
    if (!outcome.copied) return
    if (row.path.startsWith('_compaction_state/')) this.#compactionStates += 1
    if (!row.path.endsWith('.parquet')) return
    const size = outcome.copied.size
    add(this.#parquet, size)
    if (row.kind === 'auxiliary') {
      this.#anchors += 1
      return
    }
    const measurements = entry(this.#databases, databaseOf(row.path), () => new Map<string, Tally>())
    add(entry(measurements, measurementOf(row.path), emptyTally), size)
  }

  totals(): Pick<
    Manifest,
    'databases' | 'total_files' | 'total_size_bytes' | 'auxiliary_files' | 'compaction_state_files'
  > {
    const databases = [...this.#databases].map(([name, found]) => {
      const measurements = [...found].map(([measurement, { files, bytes }]) => ({
        name: measurement,
        file_count: files,
        size_bytes: bytes,
      }))
      measurements.sort(byName)
      return {
        name,
        measurements,
        file_count: sum(measurements, 'file_count'),
        size_bytes: sum(measurements, 'size_bytes'),
      }
    })
    databases.sort(byName)
    return {
      databases,
      total_files: this.#parquet.files,
      total_size_bytes: this.#parquet.bytes,
      auxiliary_files: this.#anchors,
      compaction_state_files: this.#compactionStates,
    }
  }
}

function add(tally: Tally, bytes: number): void {
  tally.files += 1
  tally.bytes += bytes
}

function emptyTally(): Tally {
  return { files: 0, bytes: 0 }
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}

function sum<K extends string>(items: readonly Record<K, number>[], key: K): number {
  return items.reduce((total, item) => total + item[key], 0)
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1
}

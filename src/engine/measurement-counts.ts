import { classify, databaseOf, measurementOf } from '../format/data-path.js'
import type { Manifest } from '../format/manifest.js'

/** A measurement of which a backup has more or less than its manifest counts. */
export interface Mismatch {
  /** `database/measurement` */
  readonly path: string
  /** Files that are there, less those that should be. */
  readonly surplus: number
  readonly message: string
}

interface Tally {
  files: number
  bytes: number
}

/** Parquet files and bytes of each measurement as they are found: all that a backup without list of files can be held against. */
export class MeasurementCounts {
  readonly #found = new Map<string, Tally>()

  /** @param path in the storage */
  add(path: string, size: number): void {
    // As Arc counts: also what lies in its hidden folders, which no backup of ours holds. Schema anchors are Parquet files too, of no measurement.
    const isHidden = path[path.lastIndexOf('/') + 1] === '.'
    if (isHidden || !path.endsWith('.parquet') || classify(path) === 'auxiliary') return
    const key = `${databaseOf(path)}/${measurementOf(path)}`
    const tally = this.#found.get(key) ?? { files: 0, bytes: 0 }
    tally.files += 1
    tally.bytes += size
    this.#found.set(key, tally)
  }

  compare(manifest: Manifest, wants: (database: string) => boolean = () => true): Mismatch[] {
    const mismatches: Mismatch[] = []
    for (const database of manifest.databases) {
      if (!wants(database.name)) continue
      for (const { name, file_count, size_bytes } of database.measurements) {
        const path = `${database.name}/${name}`
        const { files, bytes } = this.#found.get(path) ?? { files: 0, bytes: 0 }
        if (files === file_count && bytes === size_bytes) continue
        const message = `${path} has ${files} files with ${bytes} bytes, the manifest says ${file_count} with ${size_bytes}`
        mismatches.push({ path, surplus: files - file_count, message })
      }
    }
    return mismatches
  }

  /** Measurements that the manifest does not know. */
  unknownTo(manifest: Manifest): Mismatch[] {
    const known = new Set(
      manifest.databases.flatMap(({ name, measurements }) => measurements.map((m) => `${name}/${m.name}`)),
    )
    return [...this.#found]
      .filter(([path]) => !known.has(path))
      .map(([path, { files }]) => ({
        path,
        surplus: files,
        message: `${path} has ${files} files, the manifest does not know it`,
      }))
  }
}

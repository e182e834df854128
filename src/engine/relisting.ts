import Database from 'better-sqlite3'
import { isCompactionOutput } from '../format/compaction-state.js'
import { type Batch, type BatchFile, etagsOf } from './batch.js'
import { eachInPartition } from './partition-prints.js'

/** A file as a listing saw it. */
interface Version {
  readonly path: string
  readonly size: number
  readonly mtimeNs: bigint
  readonly etag?: string
}

interface Row {
  path: string
  size: bigint
  mtime: bigint
  etag: string
}

/**
 * What a new listing of some day partitions saw, on disk: to be compared file by file with what the backup holds. A partition may have any number of
 * files.
 */
export class Relisting {
  readonly #db: Database.Database
  readonly #insert: Database.Statement
  readonly #mark: Database.Statement

  constructor(file: string) {
    this.#db = new Database(file)
    this.#db.pragma('journal_mode = OFF')
    this.#db.pragma('synchronous = OFF')
    // An operation that goes on after an interruption lists again.
    this.#db.exec(`
      DROP TABLE IF EXISTS seen;
      CREATE TABLE seen (path TEXT PRIMARY KEY, partition TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, etag TEXT NOT NULL,
        mark TEXT NOT NULL DEFAULT 'new') WITHOUT ROWID`)
    this.#insert = this.#db.prepare(
      'INSERT OR REPLACE INTO seen (path, partition, size, mtime, etag) VALUES (?, ?, ?, ?, ?)',
    )
    this.#mark = this.#db.prepare('UPDATE seen SET mark = ? WHERE path = ? AND size = ? AND mtime = ? AND etag = ?')
  }

  add(batch: Batch): void {
    const etags = etagsOf(batch)
    this.#db.transaction(() => {
      eachInPartition(batch, (path, partition, index) => {
        this.#insert.run(path, partition, batch.sizes[index], batch.mtimesNs[index], etags[index] ?? '')
      })
    })()
  }

  /** Notes that the backup holds this file, or could not read it. False where the listing did not see it, or another version of it. */
  mark(as: 'held' | 'unreadable', { path, size, mtimeNs, etag = '' }: Version): boolean {
    return this.#mark.run(as, path, size, mtimeNs, etag).changes > 0
  }

  /** Partitions that have files which the backup does not hold: merged ones of a compaction, or ones not younger than all that it holds. */
  behind(): { merged: Set<string>; late: Set<string> } {
    const [merged, late] = [new Set<string>(), new Set<string>()]
    const rows = this.#db
      .prepare(
        `SELECT path, partition, mtime <= newest AS late FROM seen
         LEFT JOIN (SELECT partition AS name, max(mtime) AS newest FROM seen WHERE mark = 'held' GROUP BY partition) ON name = partition
         WHERE mark = 'new'`,
      )
      .iterate() as Iterable<{ path: string; partition: string; late: number | null }>
    for (const row of rows) {
      if (isCompactionOutput(row.path)) merged.add(row.partition)
      if (row.late === 1) late.add(row.partition)
    }
    return { merged, late }
  }

  /** Files that the backup lacks to be equal to the listing; where `only` is `late`, to be as the partition was when its youngest file came. */
  *lacking(partition: string, only?: 'late'): Generator<BatchFile, void, undefined> {
    const late = `mark = 'new' AND mtime <= (SELECT max(mtime) FROM seen WHERE partition = @partition AND mark = 'held')`
    const which = only === 'late' ? late : `mark <> 'held'`
    const rows = this.#db
      .prepare(`SELECT path, size, mtime, etag FROM seen WHERE partition = @partition AND ${which}`)
      .safeIntegers()
      .iterate({ partition }) as Iterable<Row>
    for (const { path, size, mtime, etag } of rows) {
      yield { path, size: Number(size), mtimeNs: mtime, ...(etag !== '' && { etag }) }
    }
  }

  close(): void {
    this.#db.close()
  }
}

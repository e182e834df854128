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

/** What lies in one partition: the table is in the order of the paths. */
const within = 'path > @from AND path < @to'
const newestHeld = `SELECT max(mtime) FROM seen WHERE ${within} AND mark = 'held'`

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
      CREATE TABLE seen (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL, etag TEXT NOT NULL, merged INTEGER NOT NULL,
        mark TEXT NOT NULL DEFAULT 'new') WITHOUT ROWID`)
    this.#insert = this.#db.prepare(
      'INSERT OR REPLACE INTO seen (path, size, mtime, etag, merged) VALUES (?, ?, ?, ?, ?)',
    )
    this.#mark = this.#db.prepare('UPDATE seen SET mark = ? WHERE path = ? AND size = ? AND mtime = ? AND etag = ?')
  }

  add(batch: Batch): void {
    const etags = etagsOf(batch)
    this.#db.transaction(() => {
      eachInPartition(batch, (path, _, index) => {
        const merged = isCompactionOutput(path) ? 1 : 0
        this.#insert.run(path, batch.sizes[index], batch.mtimesNs[index], etags[index] ?? '', merged)
      })
    })()
  }

  /** Notes that the backup holds this file, or could not read it. False where the listing did not see it, or another version of it. */
  mark(as: 'held' | 'unreadable', { path, size, mtimeNs, etag = '' }: Version): boolean {
    return this.#mark.run(as, path, size, mtimeNs, etag).changes > 0
  }

  /** Has this partition files that the backup lacks: merged ones of a compaction, or ones not younger than all that it holds of it? */
  behind(partition: string): { merged: boolean; late: boolean } {
    const row = this.#db
      .prepare(
        `SELECT max(merged) AS merged, min(mtime) <= (${newestHeld}) AS late FROM seen WHERE ${within} AND mark = 'new'`,
      )
      .get(rangeOf(partition)) as { merged: number | null; late: number | null }
    return { merged: row.merged === 1, late: row.late === 1 }
  }

  /** Files that the backup lacks to be equal to the listing; where `only` is `late`, to be as the partition was when its youngest file came. */
  *lacking(partition: string, only?: 'late'): Generator<BatchFile, void, undefined> {
    const which = only === 'late' ? `mark = 'new' AND mtime <= (${newestHeld})` : `mark <> 'held'`
    const rows = this.#db
      .prepare(`SELECT path, size, mtime, etag FROM seen WHERE ${within} AND ${which}`)
      .safeIntegers()
      .iterate(rangeOf(partition)) as Iterable<Row>
    for (const { path, size, mtime, etag } of rows) {
      yield { path, size: Number(size), mtimeNs: mtime, ...(etag !== '' && { etag }) }
    }
  }

  close(): void {
    this.#db.close()
  }
}

/** '0' is the character after '/'. */
function rangeOf(partition: string): { from: string; to: string } {
  return { from: `${partition}/`, to: `${partition}0` }
}

import Database from 'better-sqlite3'
import type { ErrorCode } from '../errors.js'
import { type Batch, type BatchFailure, etagsOf, pathsOf } from './batch.js'

/** A batch on record. */
export interface StoredBatch extends Batch {
  readonly id: number
  /** 1 for each file that is copied, 0 for the others; all 0 before it was tried. */
  readonly done: Uint8Array
}

/** Some folders, joined by NUL, and a time for each (ns). */
export interface TimedFolders {
  readonly paths: string
  readonly times: BigInt64Array
}

/** What a thread made of a batch, as far as it is worth keeping. */
export interface BatchOutcome {
  readonly done: Uint8Array
  readonly failures: readonly BatchFailure[]
  /** Lines for the sidecar's two lists; '' in a restore. */
  readonly files: string
  readonly others: string
}

/** A file that could not be copied. */
export interface Failed {
  readonly id: number
  readonly path: string
  readonly size: number
  /** As it was listed. */
  readonly mtimeNs: bigint
  readonly etag?: string
  readonly code: ErrorCode
  readonly message: string
}

interface Row {
  id: number
  paths: string
  sizes: Buffer
  mtimes: Buffer
  sha256: Buffer
  done: Buffer
  etags: string
}

/**
 * The list of files of one operation, on disk: no list of files is ever held in memory. It keeps batches, not files: a row for each of 20,000 files cost the
 * main thread 0.2 s, which was half of what two threads need to copy them. `synchronous = OFF` survives the death of the process (not of the
 * machine), which is all that a list that can be made again needs.
 */
export class Inventory {
  readonly #db: Database.Database
  readonly #insert: Database.Statement
  readonly #next: Database.Statement
  readonly #record: Database.Statement
  readonly #addFailure: Database.Statement
  readonly #has: Database.Statement

  constructor(file: string) {
    this.#db = new Database(file)
    this.#db.pragma('journal_mode = WAL')
    this.#db.pragma('synchronous = OFF')
    // A checkpoint is taken in the middle of some write: with SQLite's 1000 pages that one took 3 to 9 ms, with these 1 to 4, and all together no longer.
    this.#db.pragma('wal_autocheckpoint = 250')
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY, paths TEXT NOT NULL, sizes BLOB NOT NULL, mtimes BLOB NOT NULL,
        sha256 BLOB NOT NULL, done BLOB NOT NULL, files TEXT NOT NULL DEFAULT '', others TEXT NOT NULL DEFAULT '', etags TEXT NOT NULL DEFAULT '');
      CREATE TABLE IF NOT EXISTS failures (id INTEGER PRIMARY KEY, path TEXT NOT NULL, size INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL,
        mtime TEXT NOT NULL, etag TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS paths (path TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS folders (id INTEGER PRIMARY KEY, paths TEXT NOT NULL, times BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS extras (id INTEGER PRIMARY KEY, paths TEXT NOT NULL)`)
    this.#insert = this.#db.prepare(
      'INSERT INTO batches (paths, sizes, mtimes, sha256, done, etags) VALUES (?, ?, ?, ?, ?, ?)',
    )
    this.#next = this.#db.prepare(
      'SELECT id, paths, sizes, mtimes, sha256, done, etags FROM batches WHERE id > ? ORDER BY id LIMIT 1',
    )
    this.#record = this.#db.prepare('UPDATE batches SET done = ?, files = ?, others = ? WHERE id = ?')
    this.#has = this.#db.prepare('SELECT 1 FROM paths WHERE path = ?')
    this.#addFailure = this.#db.prepare(
      'INSERT INTO failures (path, size, code, message, mtime, etag) VALUES (?, ?, ?, ?, ?, ?)',
    )
  }

  add(batch: Batch): void {
    const done = new Uint8Array(batch.sizes.length)
    const { paths, sizes, mtimesNs, sha256, etags = '' } = batch
    this.#insert.run(paths, bytes(sizes), bytes(mtimesNs), bytes(sha256), bytes(done), etags)
  }

  /** Files that need not be copied, with their lines for the sidecar. */
  addDone(batch: Batch, { files, others }: { files: string; others: string }): void {
    this.add(batch)
    const done = new Uint8Array(batch.sizes.length).fill(1)
    this.#record.run(bytes(done), files, others, this.lastBatch())
  }

  /** The batch after `after` in the order of their ids, or undefined where there is none yet. */
  next(after: number): StoredBatch | undefined {
    const row = this.#next.get(after) as Row | undefined
    if (!row) return undefined
    return {
      id: row.id,
      paths: row.paths,
      sizes: new Float64Array(copy(row.sizes)),
      mtimesNs: new BigInt64Array(copy(row.mtimes)),
      sha256: new Uint8Array(copy(row.sha256)),
      done: new Uint8Array(copy(row.done)),
      ...(row.etags !== '' && { etags: row.etags }),
    }
  }

  /** Every batch, one at a time. */
  *batches(): Generator<StoredBatch, void, undefined> {
    for (let batch = this.next(0); batch; batch = this.next(batch.id)) yield batch
  }

  record(batch: StoredBatch, outcome: BatchOutcome): void {
    this.#record.run(bytes(outcome.done), outcome.files, outcome.others, batch.id)
    this.addFailures(batch, outcome.failures)
  }

  addFailures(batch: Batch, failures: readonly BatchFailure[]): void {
    if (failures.length === 0) return
    const [paths, etags] = [pathsOf(batch), etagsOf(batch)]
    for (const { index, failure } of failures) {
      const version = [String(batch.mtimesNs[index] ?? 0n), etags[index] ?? '']
      this.#addFailure.run(paths[index], batch.sizes[index], failure.code, failure.message, ...version)
    }
  }

  /** Some of what failed, after the failure `after`. */
  failures(limit: number, after = 0): Failed[] {
    const select = this.#db.prepare('SELECT * FROM failures WHERE id > ? ORDER BY id LIMIT ?')
    return (select.all(after, limit) as FailureRow[]).map(readFailure)
  }

  /** One that failed for this reason, if there is any. */
  failureOf(code: ErrorCode): Failed | undefined {
    const row = this.#db.prepare('SELECT * FROM failures WHERE code = ? LIMIT 1').get(code) as FailureRow | undefined
    return row && readFailure(row)
  }

  countFailed(): number {
    return this.#db.prepare('SELECT count(*) FROM failures').pluck().get() as number
  }

  /** Forgets failures up to this one: their files are tried again, or are gone. */
  forgetFailures(upTo: number): void {
    this.#db.prepare('DELETE FROM failures WHERE id <= ?').run(upTo)
  }

  /** Forgets one failure: its file is tried again, or is none of the backup's any more. */
  forgetFailure(id: number): void {
    this.#db.prepare('DELETE FROM failures WHERE id = ?').run(id)
  }

  /** Forgets failures of files that are no longer there, and answers how many these were, and their bytes as they were listed. */
  forgetVanished(): { files: number; bytes: number } {
    const gone = `FROM failures WHERE code = 'STORE_NOT_FOUND'`
    const counted = this.#db.prepare(`SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes ${gone}`).get()
    this.#db.exec(`DELETE ${gone}`)
    return counted as { files: number; bytes: number }
  }

  /** Folders that were listed, and when the entries of each had last changed then (ns). */
  addFolders({ paths, times }: TimedFolders): void {
    this.#db.prepare('INSERT INTO folders (paths, times) VALUES (?, ?)').run(paths, bytes(times))
  }

  /** The same, as many at a time as were added together. */
  *folders(): Generator<TimedFolders, void, undefined> {
    const select = this.#db.prepare('SELECT id, paths, times FROM folders WHERE id > ? ORDER BY id LIMIT 1')
    type Found = { id: number; paths: string; times: Buffer } | undefined
    for (let row = select.get(0) as Found; row; row = select.get(row.id) as Found) {
      yield { paths: row.paths, times: new BigInt64Array(copy(row.times)) }
    }
  }

  /** Id of the last batch so far; 0 where there is none. */
  lastBatch(): number {
    return (this.#db.prepare('SELECT max(id) FROM batches').pluck().get() as number | null) ?? 0
  }

  /** Lines of the sidecar that the threads wrote, a batch at a time. */
  *lines(list: 'files' | 'others'): Generator<string, void, undefined> {
    const select = this.#db.prepare(
      `SELECT id, ${list} AS text FROM batches WHERE id > ? AND ${list} <> '' ORDER BY id LIMIT 1`,
    )
    type Line = { id: number; text: string } | undefined
    for (let line = select.get(0) as Line; line; line = select.get(line.id) as Line) yield line.text
  }

  /** The same of one batch, as it was recorded. */
  linesOf(id: number): { files: string; others: string } {
    const row = this.#db.prepare('SELECT files, others FROM batches WHERE id = ?').get(id)
    return row as { files: string; others: string }
  }

  /**
   * Makes an index of all paths, a batch at a time; answers those of the batch that were in it already. A restore into an empty root does without: it takes longer than
   * reading the list.
   */
  *index(): Generator<string[], void, undefined> {
    const insert = this.#db.prepare('INSERT OR IGNORE INTO paths VALUES (?, ?)')
    const add = this.#db.transaction((batch: Batch) =>
      pathsOf(batch).filter((path, index) => insert.run(path, batch.sizes[index]).changes === 0),
    )
    for (const batch of this.batches()) yield add(batch)
  }

  /** Is this path in the index? */
  has(path: string): boolean {
    return this.#has.get(path) !== undefined
  }

  /** What the index says of these files, in their order: their sizes, undefined where they are not in it. */
  sizesOf(paths: readonly string[]): (number | undefined)[] {
    const find = this.#db.prepare('SELECT size FROM paths WHERE path = ?').pluck()
    return paths.map((path) => find.get(path) as number | undefined)
  }

  /** Is there a path below this folder (ending in `/`) in the index? */
  hasBelow(folder: string): boolean {
    // '0' is the character after '/': the range holds exactly what lies below the folder.
    const below = this.#db.prepare('SELECT 1 FROM paths WHERE path > ? AND path < ? LIMIT 1')
    return below.get(folder, `${folder.slice(0, -1)}0`) !== undefined
  }

  /** Live files that the backup does not have. */
  addExtras(paths: readonly string[]): void {
    if (paths.length > 0) this.#db.prepare('INSERT INTO extras (paths) VALUES (?)').run(paths.join('\0'))
  }

  *extras(): Generator<string[], void, undefined> {
    const select = this.#db.prepare('SELECT id, paths FROM extras WHERE id > ? ORDER BY id LIMIT 1')
    type Extras = { id: number; paths: string } | undefined
    for (let row = select.get(0) as Extras; row; row = select.get(row.id) as Extras) yield pathsOf(row)
  }

  /** On stable storage when the file system is synced next: a switch that was interrupted is finished from here. */
  flush(): void {
    this.#db.pragma('wal_checkpoint(TRUNCATE)')
  }

  close(): void {
    this.#db.close()
  }
}

interface FailureRow extends Omit<Failed, 'mtimeNs' | 'etag'> {
  readonly mtime: string
  readonly etag: string
}

function readFailure({ mtime, etag, ...failure }: FailureRow): Failed {
  return { ...failure, mtimeNs: BigInt(mtime), ...(etag !== '' && { etag }) }
}

function bytes(array: Float64Array | BigInt64Array | Uint8Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength)
}

/** Memory of its own, aligned: SQLite's buffers begin anywhere. */
function copy(buffer: Buffer): ArrayBuffer {
  return new Uint8Array(buffer).buffer
}

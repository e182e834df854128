import Database from 'better-sqlite3'
import type { ErrorCode, Failure } from '../errors.js'
import type { Copied } from '../stores/store.js'

export const states = ['pending', 'done', 'failed', 'vanished'] as const
export type FileState = (typeof states)[number]

/** A file that is to be moved. */
export interface ListedFile {
  readonly path: string
  /** Parquet data, or one of the other files that belong to it. */
  readonly kind: 'parquet' | 'auxiliary'
  /** Bytes, from the listing of the source or from the sidecar. */
  readonly size: number
  readonly mtimeNs: bigint | null
  /** Recorded SHA-256 (hex), where there is one. */
  readonly sha256: string | null
}

export interface InventoryRow extends ListedFile {
  readonly id: number
}

/** What became of one file. */
export interface FileOutcome {
  readonly id: number
  readonly state: FileState
  readonly copied?: Copied
  readonly failure?: Failure
}

export interface Failed {
  readonly id: number
  readonly path: string
  readonly code: ErrorCode
  readonly message: string
}

interface StoredRow {
  id: number
  path: string
  auxiliary: number
  size: number
  mtime: string | null
  sha256: string | null
}

const rowsPerPage = 256
const failedState = `state = ${states.indexOf('failed')}`
const columns = 'id, path, auxiliary, size, CAST(mtime_ns AS TEXT) AS mtime, sha256'

/**
 * The list of files of one operation, on disk: no list of files is ever held in memory. One writer, this thread; a batch is one transaction of
 * under 1 ms for 256 files. `synchronous = OFF` survives the death of the process (not of the machine), which is all that a list that can
 * be made again needs.
 */
export class Inventory {
  readonly #db: Database.Database
  readonly #insert: Database.Statement
  readonly #record: Database.Statement
  readonly #next: Database.Statement
  readonly #inState: Database.Statement
  readonly #failed: Database.Statement
  readonly #has: Database.Statement
  readonly #below: Database.Statement

  constructor(file: string) {
    this.#db = new Database(file)
    this.#db.pragma('journal_mode = WAL')
    this.#db.pragma('synchronous = OFF')
    this.#db.exec(`CREATE TABLE IF NOT EXISTS files (
      id INTEGER PRIMARY KEY, path TEXT NOT NULL, auxiliary INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER, sha256 TEXT,
      state INTEGER NOT NULL DEFAULT 0, code TEXT, message TEXT);
      CREATE TABLE IF NOT EXISTS extras (id INTEGER PRIMARY KEY, path TEXT NOT NULL);
      CREATE INDEX IF NOT EXISTS failed_files ON files (id) WHERE ${failedState}`)
    this.#insert = this.#db.prepare(
      'INSERT INTO files (path, auxiliary, size, mtime_ns, sha256) VALUES (?, ?, ?, ?, ?)',
    )
    this.#record =
      this.#db.prepare(`UPDATE files SET state = ?, size = coalesce(?, size), mtime_ns = coalesce(?, mtime_ns),
      sha256 = coalesce(?, sha256), code = ?, message = ? WHERE id = ?`)
    this.#next = this.#db.prepare(`SELECT ${columns} FROM files WHERE id > ? ORDER BY id LIMIT ?`)
    this.#inState = this.#db.prepare(`SELECT ${columns} FROM files WHERE id > ? AND state = ? ORDER BY id LIMIT ?`)
    this.#failed = this.#db.prepare(
      `SELECT id, path, code, message FROM files WHERE ${failedState} AND id > ? ORDER BY id LIMIT ?`,
    )
    // '0' is the character after '/': the range holds exactly what lies below a folder.
    this.#below = this.#db.prepare('SELECT 1 FROM files WHERE path > ? AND path < ? LIMIT 1')
    this.#has = this.#db.prepare('SELECT 1 FROM files WHERE path = ?').pluck()
  }

  add(files: readonly ListedFile[]): void {
    this.#transaction(() => {
      for (const file of files) {
        this.#insert.run(file.path, file.kind === 'auxiliary' ? 1 : 0, file.size, file.mtimeNs, file.sha256)
      }
    })
  }

  /** Outcomes of one chunk. A size, time or hash that the copy found replaces what the listing said. */
  record(outcomes: readonly FileOutcome[]): void {
    this.#transaction(() => {
      for (const { id, state, copied, failure } of outcomes) {
        this.#record.run(
          states.indexOf(state),
          copied?.size ?? null,
          copied?.sourceMtimeNs ?? null,
          copied?.sha256 ?? null,
          failure?.code ?? null,
          failure?.message ?? null,
          id,
        )
      }
    })
  }

  /** The next rows after `after` in the order of their ids, all or those in one state. */
  rows(after: number, limit: number, state?: FileState): InventoryRow[] {
    const found =
      state === undefined ? this.#next.all(after, limit) : this.#inState.all(after, states.indexOf(state), limit)
    return (found as StoredRow[]).map((row) => ({
      id: row.id,
      path: row.path,
      kind: row.auxiliary === 1 ? 'auxiliary' : 'parquet',
      size: row.size,
      mtimeNs: row.mtime === null ? null : BigInt(row.mtime),
      sha256: row.sha256,
    }))
  }

  /** Every row, or those in one state, in pages, never all held in memory. A row may change its state behind the walk. */
  *pages(state?: FileState, kind?: ListedFile['kind']): Generator<InventoryRow[], void, undefined> {
    for (let after = 0; ; ) {
      const page = this.rows(after, rowsPerPage, state)
      const last = page.at(-1)
      if (!last) return
      const wanted = kind === undefined ? page : page.filter((row) => row.kind === kind)
      if (wanted.length > 0) yield wanted
      after = last.id
    }
  }

  /** Paths and reasons of what failed, at most `limit` of them after the row `after`. */
  failures(limit: number, after = 0): Failed[] {
    return this.#failed.all(after, limit) as Failed[]
  }

  /** Number of files that failed. Cheap: failed rows have an index of their own. */
  countFailed(): number {
    return this.#db.prepare(`SELECT count(*) FROM files WHERE ${failedState}`).pluck().get() as number
  }

  /** Bytes of the largest file. */
  largest(): number {
    return (this.#db.prepare('SELECT max(size) FROM files').pluck().get() as number | null) ?? 0
  }

  /** Must come before `has`; it also refuses a list that names a path twice. */
  indexPaths(): void {
    this.#db.exec('CREATE UNIQUE INDEX IF NOT EXISTS files_by_path ON files (path)')
  }

  has(path: string): boolean {
    return this.#has.get(path) !== undefined
  }

  /** Is there a file below this folder (ending in `/`)? */
  hasBelow(folder: string): boolean {
    return this.#below.get(folder, `${folder.slice(0, -1)}0`) !== undefined
  }

  /** Live files that the backup does not have. */
  addExtras(paths: readonly string[]): void {
    const insert = this.#db.prepare('INSERT INTO extras (path) VALUES (?)')
    this.#transaction(() => {
      for (const path of paths) insert.run(path)
    })
  }

  *extras(): Generator<string[], void, undefined> {
    const select = this.#db.prepare('SELECT id, path FROM extras WHERE id > ? ORDER BY id LIMIT ?')
    for (let after = 0; ; ) {
      const page = select.all(after, rowsPerPage) as { id: number; path: string }[]
      if (page.length === 0) return
      yield page.map(({ path }) => path)
      after = page.at(-1)?.id ?? after
    }
  }

  close(): void {
    this.#db.close()
  }

  #transaction(action: () => void): void {
    this.#db.exec('BEGIN')
    try {
      action()
      this.#db.exec('COMMIT')
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

import Database from 'better-sqlite3'

export interface PresentFile {
  readonly path: string
  readonly size: number
}

/** Files that are looked at in one go: about a millisecond. */
const perPage = 256

/** The files that a backup's folder has, on disk: no list of files is ever held in memory. Who claims one says that it belongs there. */
export class PresentFiles {
  readonly #db: Database.Database
  readonly #insert: Database.Statement
  readonly #find: Database.Statement
  readonly #claim: Database.Statement

  constructor(file: string) {
    this.#db = new Database(file)
    // It can be made again, and nobody else reads it: in one transaction that never ends only what finds no room in memory is written.
    this.#db.pragma('journal_mode = OFF')
    this.#db.pragma('synchronous = OFF')
    this.#db.pragma('cache_size = -32768')
    this.#db.exec(`
      CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, claims INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
      BEGIN`)
    this.#insert = this.#db.prepare('INSERT OR REPLACE INTO files (path, size) VALUES (?, ?)')
    this.#find = this.#db.prepare('SELECT size FROM files WHERE path = ?').pluck()
    this.#claim = this.#db.prepare('UPDATE files SET claims = claims + 1 WHERE path = ? RETURNING size, claims')
  }

  add({ path, size }: PresentFile): void {
    this.#insert.run(path, size)
  }

  sizeOf(path: string): number | undefined {
    return this.#find.get(path) as number | undefined
  }

  /** Its size, undefined for one that is not there, `again` for one that was claimed before. */
  claim(path: string): number | 'again' | undefined {
    const found = this.#claim.get(path) as { size: number; claims: number } | undefined
    return found && (found.claims > 1 ? 'again' : found.size)
  }

  /** Files below a folder ('' or ending in `/`), some at a time; of those that nobody claimed a set may be empty. */
  *below(folder: string, options: { unclaimed?: true } = {}): Generator<PresentFile[], void, undefined> {
    const select = this.#db.prepare(
      `SELECT path, size, claims FROM files WHERE path > ? AND (? = '' OR path < ?) ORDER BY path LIMIT ${perPage}`,
    )
    // '0' is the character after '/': the range holds exactly what lies below the folder.
    const end = `${folder.slice(0, -1)}0`
    for (let last = folder; ; ) {
      const files = select.all(last, folder, end) as (PresentFile & { claims: number })[]
      const final = files.at(-1)
      if (!final) return
      last = final.path
      // Filtered here: SQLite would look through millions in one go for the few that nobody claimed.
      yield options.unclaimed ? files.filter(({ claims }) => claims === 0) : files
    }
  }

  close(): void {
    this.#db.close()
  }
}

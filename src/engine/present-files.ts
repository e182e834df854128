import Database from 'better-sqlite3'

export interface PresentFile {
  readonly path: string
  readonly size: number
}

/** Insertions that are held back to go in together. */
const perTransaction = 256

/** The files that a backup's folder has, on disk: no list of files is ever held in memory. Who claims one says that it belongs there. */
export class PresentFiles {
  readonly #db: Database.Database
  readonly #insert: Database.Statement
  readonly #find: Database.Statement
  readonly #claim: Database.Statement
  #held: PresentFile[] = []

  constructor(file: string) {
    this.#db = new Database(file)
    // It can be made again.
    this.#db.pragma('journal_mode = OFF')
    this.#db.pragma('synchronous = OFF')
    this.#db.exec(
      'CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, claimed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID',
    )
    this.#insert = this.#db.prepare('INSERT OR REPLACE INTO files (path, size) VALUES (?, ?)')
    this.#find = this.#db.prepare('SELECT size, claimed FROM files WHERE path = ?')
    this.#claim = this.#db.prepare('UPDATE files SET claimed = 1 WHERE path = ?')
  }

  add({ path, size }: PresentFile): void {
    this.#held.push({ path, size })
    if (this.#held.length >= perTransaction) this.#flush()
  }

  sizeOf(path: string): number | undefined {
    this.#flush()
    return (this.#find.get(path) as { size: number } | undefined)?.size
  }

  /** Size of each file, undefined for one that is not there, `again` for one that was claimed before. */
  claim(paths: readonly string[]): (number | 'again' | undefined)[] {
    this.#flush()
    return this.#db.transaction(() =>
      paths.map((path) => {
        const found = this.#find.get(path) as { size: number; claimed: number } | undefined
        if (found?.claimed === 1) return 'again'
        if (found) this.#claim.run(path)
        return found?.size
      }),
    )()
  }

  /** Files below a folder ('' or ending in `/`), some at a time. */
  *below(folder: string, options: { unclaimed?: true } = {}): Generator<PresentFile[], void, undefined> {
    this.#flush()
    const select = this.#db.prepare(
      `SELECT path, size FROM files WHERE path > ? AND (? = '' OR path < ?) ${options.unclaimed ? 'AND claimed = 0' : ''}
       ORDER BY path LIMIT ${perTransaction}`,
    )
    // '0' is the character after '/': the range holds exactly what lies below the folder.
    const end = `${folder.slice(0, -1)}0`
    for (let last = folder; ; ) {
      const files = select.all(last, folder, end) as PresentFile[]
      const final = files.at(-1)
      if (!final) return
      last = final.path
      yield files
    }
  }

  close(): void {
    this.#db.close()
  }

  #flush(): void {
    if (this.#held.length === 0) return
    const held = this.#held
    this.#held = []
    this.#db.transaction(() => {
      for (const { path, size } of held) this.#insert.run(path, size)
    })()
  }
}

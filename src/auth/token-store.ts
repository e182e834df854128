import { statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { ServiceError, systemCode } from '../errors.js'
import { markOf, needsFilesBeside, readIdle } from './idle-database.js'

/** A row of `api_tokens`, as far as it matters here. */
export interface TokenRow {
  readonly id: number
  readonly name: string
  readonly hash: string
  readonly permissions: string | null
  /** As SQLite gives it; null never expires. */
  readonly expiresAt: unknown
}

interface Connection {
  readonly db: Database.Database
  /** Device and inode: another file under the name is another database. */
  readonly file: string
  /** Of a copy in memory: what the file was like then. */
  readonly mark?: string
  readonly candidates: Database.Statement
  readonly byId: Database.Statement
  readonly count: Database.Statement
}

/** Go's driver gives a BLOB as a string too. */
const columns =
  'id, name, CAST(token_hash AS TEXT) AS hash, CAST(permissions AS TEXT) AS permissions, expires_at AS expiresAt'
/** How long a lock of Arc's may block the main thread, in ms. */
const busyTimeout = 20
const legacy = '__legacy__'

/** Arc's live `arc.db`, read-only, while Arc writes to it and also when the file is replaced. */
export class TokenStore {
  readonly #path: string
  #connection: Connection | null = null
  #generation = 0

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Changes whenever another connection has committed, or the file is another one. Equal versions: nothing that was read can have changed.
   * @throws UNAVAILABLE for a file that can't be read now
   */
  version(): string {
    return (
      this.#read((connection) => `${this.#generation}:${connection.db.pragma('data_version', { simple: true })}`) ??
      'absent'
    )
  }

  /** Rows that a token with this prefix may have: its own, and those from before there were prefixes. */
  candidates(prefix: string): TokenRow[] {
    return this.#read(({ candidates }) => candidates.all(prefix, legacy) as TokenRow[]) ?? []
  }

  /** The row as it is now, if it is still enabled. */
  row(id: number): TokenRow | undefined {
    return this.#read(({ byId }) => byId.get(id) as TokenRow | undefined)
  }

  /** Is there no database, or none with a token in it? */
  isEmpty(): boolean {
    return (this.#read(({ count }) => count.get() as number) ?? 0) === 0
  }

  close(): void {
    this.#connection?.db.close()
    this.#connection = null
  }

  /** Undefined where there is no database, or one without the table. */
  #read<T>(query: (connection: Connection) => T): T | undefined {
    try {
      const connection = this.#open()
      return connection === null ? undefined : query(connection)
    } catch (error) {
      this.close()
      if (error instanceof Error && /^no such table: api_tokens$/.test(error.message)) return undefined
      throw unavailable(this.#path, error)
    }
  }

  #open(): Connection | null {
    const found = statSync(this.#path, { throwIfNoEntry: false })
    const file = found ? `${found.dev}:${found.ino}` : null
    const { file: known, mark } = this.#connection ?? {}
    if (this.#connection && file === known && (mark === undefined || mark === markOf(this.#path)))
      return this.#connection
    this.close()
    this.#generation += 1
    if (!found || file === null) return null
    if (!found.isFile()) throw new Error('it is not a file')
    this.#connection = this.#connect(file)
    return this.#connection
  }

  #connect(file: string): Connection {
    const db = new Database(this.#path, { readonly: true, fileMustExist: true, timeout: busyTimeout })
    try {
      return { db, file, ...prepare(db) }
    } catch (error) {
      db.close()
      if (!needsFilesBeside(error)) throw error
      const mark = markOf(this.#path)
      const copy = readIdle(this.#path)
      if (!copy) throw error
      return { db: copy, file, mark, ...prepare(copy) }
    }
  }
}

function prepare(db: Database.Database): Pick<Connection, 'candidates' | 'byId' | 'count'> {
  const select = `SELECT ${columns} FROM api_tokens WHERE enabled = 1 AND created_at IS NOT NULL`
  return {
    candidates: db.prepare(
      `${select} AND (token_prefix = ? OR token_prefix = ? OR token_prefix IS NULL OR token_prefix = '') ORDER BY id`,
    ),
    byId: db.prepare(`${select} AND id = ?`),
    count: db.prepare('SELECT count(*) FROM api_tokens').pluck(),
  }
}

function unavailable(path: string, error: unknown): ServiceError {
  const why = systemCode(error) ?? (error instanceof Error ? error.message : String(error))
  return new ServiceError('UNAVAILABLE', `cannot check tokens: ${path} can't be read now (${why})`, { cause: error })
}

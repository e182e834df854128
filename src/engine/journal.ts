import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { OperationStatus } from './operation.js'

/** One operation on record. */
export interface JournalEntry {
  /** As it ended; as it began where it still runs. */
  readonly status: OperationStatus
  /** What was asked for; holds no secret because a request can't. */
  readonly request: Readonly<Record<string, unknown>>
  /** Token name of who asked. */
  readonly caller: string
}

/** A live file that a restore in mode `replace` took out of sight. */
export interface MovedAside {
  readonly path: string
  /** Its hidden name now; null where it was removed for good, because its store has no rename. */
  readonly hidden: string | null
}

interface Row {
  status: string
  request: string
  caller: string
}

/** Operations that are kept. */
const mostOperations = 10_000

/** What outlives a restart: operations, and the files that they moved aside so that they can be put back or purged. */
export class Journal {
  readonly #db: Database.Database

  constructor(file: string) {
    this.#db = new Database(file)
    this.#db.pragma('journal_mode = WAL')
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS operations (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL, caller TEXT NOT NULL,
        running INTEGER NOT NULL, status TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS moved_aside (operation TEXT NOT NULL, path TEXT NOT NULL, hidden TEXT)`)
  }

  begin({ status, request, caller }: JournalEntry): void {
    this.#db
      .prepare('INSERT INTO operations (id, request, caller, running, status) VALUES (?, ?, ?, 1, ?)')
      .run(status.operationId, JSON.stringify(request), caller, JSON.stringify(status))
    this.#db
      .prepare('DELETE FROM operations WHERE number <= (SELECT max(number) FROM operations) - ?')
      .run(mostOperations)
  }

  end(status: OperationStatus): void {
    this.#db
      .prepare('UPDATE operations SET running = 0, status = ? WHERE id = ?')
      .run(JSON.stringify(status), status.operationId)
  }

  /** Operations that a process which is gone left running: they were interrupted. Call only while holding the state's lock. */
  closeAbandoned(now: string): number {
    const abandoned = this.#db
      .prepare('SELECT status, request, caller FROM operations WHERE running = 1')
      .all() as Row[]
    for (const row of abandoned) {
      this.end({
        ...entryOf(row).status,
        status: 'failed',
        outcome: 'interrupted',
        completedAt: now,
        error: 'the service was killed',
        errorCode: 'INTERRUPTED',
        etaSeconds: 0,
      })
    }
    return abandoned.length
  }

  /** On record before the files are moved, so that no moved file is ever without a record. */
  recordMovedAside(operation: string, files: readonly MovedAside[]): void {
    const insert = this.#db.prepare('INSERT INTO moved_aside VALUES (?, ?, ?)')
    this.#db.transaction(() => {
      for (const file of files) insert.run(operation, file.path, file.hidden)
    })()
  }

  movedAside(operation: string): MovedAside[] {
    return this.#db.prepare('SELECT path, hidden FROM moved_aside WHERE operation = ?').all(operation) as MovedAside[]
  }

  /** Newest first; those older than the operation `before`, where it is named. */
  operations(limit: number, before?: string): JournalEntry[] {
    return select(this.#db, limit, before)
  }

  operation(id: string): JournalEntry | undefined {
    const row = this.#db.prepare('SELECT status, request, caller FROM operations WHERE id = ?').get(id)
    return row === undefined ? undefined : entryOf(row as Row)
  }

  close(): void {
    this.#db.close()
  }
}

/** The last operation on record, read beside a running service; null where there is none. */
export function lastOperation(statePath: string): OperationStatus | null {
  const file = `${statePath}/journal.db`
  if (!existsSync(file)) return null
  const db = new Database(file, { readonly: true, timeout: 5000 })
  try {
    return select(db, 1)[0]?.status ?? null
  } finally {
    db.close()
  }
}

function select(db: Database.Database, limit: number, before?: string): JournalEntry[] {
  const rows =
    before === undefined
      ? db.prepare('SELECT status, request, caller FROM operations ORDER BY number DESC LIMIT ?').all(limit)
      : db
          .prepare(
            `SELECT status, request, caller FROM operations WHERE number < (SELECT number FROM operations WHERE id = ?)
             ORDER BY number DESC LIMIT ?`,
          )
          .all(before, limit)
  return (rows as Row[]).map(entryOf)
}

function entryOf({ status, request, caller }: Row): JournalEntry {
  return {
    status: JSON.parse(status) as OperationStatus,
    request: JSON.parse(request) as Record<string, unknown>,
    caller,
  }
}

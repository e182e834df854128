import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { OperationKind, Outcome } from './operation.js'

/** One operation on record. */
export interface JournalEntry {
  readonly id: string
  readonly kind: OperationKind
  readonly backupId: string
  /** The request as JSON; holds no secret because a request can't. */
  readonly request: string
  /** Token name of who asked. */
  readonly caller: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly outcome: Outcome | null
  readonly error: string | null
}

/** A live file that a restore in mode `replace` took out of sight. */
export interface MovedAside {
  readonly path: string
  /** Its hidden name now; null where it was removed for good, because its store has no rename. */
  readonly hidden: string | null
}

const selectOperations = `SELECT id, kind, backup_id AS backupId, request, caller, started_at AS startedAt, ended_at AS endedAt, outcome, error
  FROM operations ORDER BY started_at DESC`

/** What outlives a restart: operations, and the files that they moved aside so that they can be put back or purged. */
export class Journal {
  readonly #db: Database.Database

  constructor(file: string) {
    this.#db = new Database(file)
    this.#db.pragma('journal_mode = WAL')
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS operations (id TEXT PRIMARY KEY, kind TEXT NOT NULL, backup_id TEXT NOT NULL, request TEXT NOT NULL,
        caller TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, outcome TEXT, error TEXT);
      CREATE TABLE IF NOT EXISTS moved_aside (operation TEXT NOT NULL, path TEXT NOT NULL, hidden TEXT)`)
  }

  begin(entry: Omit<JournalEntry, 'endedAt' | 'outcome' | 'error'>): void {
    this.#db
      .prepare('INSERT INTO operations (id, kind, backup_id, request, caller, started_at) VALUES (?, ?, ?, ?, ?, ?)')
      .run(entry.id, entry.kind, entry.backupId, entry.request, entry.caller, entry.startedAt)
  }

  end(id: string, endedAt: string, outcome: Outcome, error: string | null): void {
    this.#db
      .prepare('UPDATE operations SET ended_at = ?, outcome = ?, error = ? WHERE id = ?')
      .run(endedAt, outcome, error, id)
  }

  /** Operations that a process which is gone left running: they were interrupted. Call only while holding the state's lock. */
  closeAbandoned(now: string): number {
    return this.#db
      .prepare(
        "UPDATE operations SET ended_at = ?, outcome = 'interrupted', error = 'the service was killed' WHERE outcome IS NULL",
      )
      .run(now).changes
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

  /** Newest first. */
  operations(limit: number): JournalEntry[] {
    return this.#db.prepare(`${selectOperations} LIMIT ?`).all(limit) as JournalEntry[]
  }

  close(): void {
    this.#db.close()
  }
}

/** The last operation on record, read beside a running service, in the API's terms; `{ status: 'idle' }` where there is none. */
export function lastOperation(statePath: string): Record<string, unknown> {
  const file = `${statePath}/journal.db`
  if (!existsSync(file)) return { status: 'idle' }
  const db = new Database(file, { readonly: true, timeout: 5000 })
  try {
    const entry = db.prepare(`${selectOperations} LIMIT 1`).get() as JournalEntry | undefined
    if (!entry) return { status: 'idle' }
    const { id, kind, backupId, startedAt, endedAt, outcome, error } = entry
    const ended = outcome === 'completed' || outcome === 'gaps' ? 'completed' : 'failed'
    return {
      operation: kind,
      backup_id: backupId,
      status: outcome === null ? 'running' : ended,
      started_at: startedAt,
      ...(endedAt !== null && { completed_at: endedAt }),
      ...(error !== null && { error }),
      operation_id: id,
      outcome,
    }
  } finally {
    db.close()
  }
}

import { randomUUID } from 'node:crypto'
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
  /** It was interrupted, and can be resumed or discarded. */
  readonly resumable: boolean
}

/** A live file that a restore in mode `replace` took out of sight. */
export interface MovedAside {
  readonly path: string
  /** Its hidden name now; null where it was removed for good, because its store has no rename. */
  readonly hidden: string | null
}

/** An operation that its process left, by a stop or by dying. */
export interface Interrupted extends JournalEntry {
  /** A restore that had begun to change live files. */
  readonly switching: boolean
  /** Time that it ran so far, in ms. */
  readonly spentMs: number
  /** Boot id of the machine that it ran on. */
  readonly boot: string
  /** How often in a row it was resumed without moving a byte more than ever before. */
  readonly stalls: number
}

interface Row {
  status: string
  request: string
  caller: string
  state: number
}

interface FullRow extends Row {
  switching: number
  spent_ms: number
  boot: string
  stalls: number
}

/** Operations that are kept. */
const mostOperations = 10_000
/** Files moved aside that are read at once: to remove them takes some 10 ms. */
const perPage = 500
const states = { ended: 0, running: 1, interrupted: 2 } as const
const columns = 'status, request, caller, state'

/** What outlives a restart: operations, and the files that they moved aside so that they can be put back or purged. */
export class Journal {
  /** Random, made with the journal: markers at targets bear it. */
  readonly instance: string
  readonly #db: Database.Database
  readonly #most: number

  /** @param most ended operations that are kept */
  constructor(file: string, most = mostOperations) {
    this.#most = most
    this.#db = new Database(file)
    this.#db.pragma('journal_mode = WAL')
    // What it says must survive a power cut: a switch is on record before the first live file changes.
    this.#db.pragma('synchronous = FULL')
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS instance (id TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS operations (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL, caller TEXT NOT NULL,
        state INTEGER NOT NULL, status TEXT NOT NULL, boot TEXT NOT NULL, switching INTEGER NOT NULL DEFAULT 0, spent_ms REAL NOT NULL DEFAULT 0,
        most_bytes INTEGER NOT NULL DEFAULT 0, stalls INTEGER NOT NULL DEFAULT 0);
      CREATE TABLE IF NOT EXISTS moved_aside (operation TEXT NOT NULL, path TEXT NOT NULL, hidden TEXT, PRIMARY KEY (operation, path))`)
    this.#db.prepare('INSERT INTO instance SELECT ? WHERE NOT EXISTS (SELECT 1 FROM instance)').run(randomUUID())
    this.instance = this.#db.prepare('SELECT id FROM instance').pluck().get() as string
  }

  begin({ status, request, caller }: Omit<JournalEntry, 'resumable'>, boot: string): void {
    this.#db
      .prepare('INSERT INTO operations (id, request, caller, state, status, boot) VALUES (?, ?, ?, ?, ?, ?)')
      .run(status.operationId, JSON.stringify(request), caller, states.running, JSON.stringify(status), boot)
    this.#db
      .prepare(
        `DELETE FROM operations WHERE state = ? AND number <= (SELECT max(number) FROM operations) - ?
         AND NOT EXISTS (SELECT 1 FROM moved_aside WHERE operation = id AND hidden IS NOT NULL)`,
      )
      .run(states.ended, this.#most)
  }

  /** How far it is, now and then: what a kill leaves to be told. */
  save(status: OperationStatus, spentMs: number): void {
    this.#update(status, states.running, spentMs)
  }

  /** A restore changes live files from here on. */
  beginSwitch(id: string): void {
    this.#db.prepare('UPDATE operations SET switching = 1 WHERE id = ?').run(id)
  }

  /** It can be resumed. */
  interrupt(status: OperationStatus, spentMs: number): void {
    this.#update(status, states.interrupted, spentMs)
  }

  end(status: OperationStatus): void {
    this.#update(status, states.ended)
  }

  /** Operations that a process which is gone left running: they were interrupted. Answers them. Call only while holding the state's lock. */
  adoptAbandoned(now: string): OperationStatus[] {
    const abandoned = this.#db.prepare(`SELECT ${columns} FROM operations WHERE state = ?`).all(states.running) as Row[]
    return abandoned.map((row) => {
      const { status } = entryOf(row)
      const why = {
        status: 'failed',
        outcome: 'interrupted',
        error: 'the service was killed',
        errorCode: 'INTERRUPTED',
      } as const
      // A verify or a prune has left nothing to go on with; a delete is finished by the sweep.
      const state = ['verify', 'prune', 'delete'].includes(status.operation) ? states.ended : states.interrupted
      this.#update({ ...status, ...why, completedAt: now, etaSeconds: 0 }, state)
      return status
    })
  }

  /** A delete that was interrupted is finished after all: nothing of its backup is left. */
  finishDelete(id: string): void {
    const status = this.operation(id)?.status
    if (status?.operation !== 'delete' || status.outcome !== 'interrupted') return
    this.end({ ...status, status: 'completed', outcome: 'completed', error: null, errorCode: null })
  }

  /** Deletes of a target's backups that were interrupted, whoever has found that out: what is left of their backups is the sweep's to tell. */
  interruptedDeletes(target: string): OperationStatus[] {
    // By the text first: to parse ten thousand of them takes far longer.
    const rows = this.#db
      .prepare(
        `SELECT ${columns} FROM operations WHERE state = ? AND instr(status, '"outcome":"interrupted"') > 0
         AND json_extract(status, '$.operation') = 'delete' AND json_extract(status, '$.target') = ?`,
      )
      .all(states.ended, target)
    return (rows as Row[]).map((row) => entryOf(row).status)
  }

  /** Oldest first. */
  interrupted(): Interrupted[] {
    const rows = this.#db.prepare('SELECT * FROM operations WHERE state = ? ORDER BY number').all(states.interrupted)
    return (rows as FullRow[]).map(fullEntryOf)
  }

  /** Runs again; answers how it stood, `stalls` with this time counted in. @param onRecord bytes that it has moved by its own lists */
  resume(id: string, boot: string, onRecord = 0): Interrupted {
    const row = this.#db.prepare('SELECT * FROM operations WHERE id = ?').get(id) as FullRow & { most_bytes: number }
    const { status } = fullEntryOf(row)
    const processedBytes = Math.max(status.processedBytes, onRecord)
    const running = { ...status, status: 'running', outcome: null, error: null, errorCode: null, completedAt: null }
    const stalls = processedBytes > row.most_bytes ? 0 : row.stalls + 1
    this.#db
      .prepare('UPDATE operations SET state = ?, boot = ?, stalls = ?, most_bytes = ?, status = ? WHERE id = ?')
      .run(states.running, boot, stalls, Math.max(processedBytes, row.most_bytes), JSON.stringify(running), id)
    return fullEntryOf({ ...row, stalls })
  }

  /** On record before the files are moved, so that no moved file is ever without a record. */
  recordMovedAside(operation: string, files: readonly MovedAside[]): void {
    // Again after an interruption.
    const insert = this.#db.prepare('INSERT OR IGNORE INTO moved_aside VALUES (?, ?, ?)')
    this.#db.transaction(() => {
      for (const file of files) insert.run(operation, file.path, file.hidden)
    })()
  }

  /** In pages, ordered by path: a restore can move a million files aside. */
  *movedAside(operation: string): Generator<MovedAside[], void, undefined> {
    const select = this.#db.prepare(
      'SELECT path, hidden FROM moved_aside WHERE operation = ? AND path > ? ORDER BY path LIMIT ?',
    )
    for (let last = ''; ; ) {
      const page = select.all(operation, last, perPage) as MovedAside[]
      if (page.length === 0) return
      yield page
      last = page.at(-1)?.path ?? last
    }
  }

  /** Newest first; those older than the operation `before`, where it is named. */
  operations(limit: number, before?: string): JournalEntry[] {
    return select(this.#db, limit, before)
  }

  /** The last backup or restore: what Arc's clients take for the status. */
  last(): OperationStatus | null {
    return selectLast(this.#db)
  }

  operation(id: string): JournalEntry | undefined {
    const row = this.#db.prepare(`SELECT ${columns} FROM operations WHERE id = ?`).get(id)
    return row === undefined ? undefined : entryOf(row as Row)
  }

  /** The files that this operation moved aside are its no more: put back, or purged. @param through path of the last of them, in their order; absent: all */
  forgetMovedAside(operation: string, through?: string): void {
    const upTo = through === undefined ? '' : 'AND path <= ?'
    const values = through === undefined ? [] : [through]
    this.#db.prepare(`DELETE FROM moved_aside WHERE operation = ? ${upTo}`).run(operation, ...values)
  }

  /** Operations that own files moved aside, with the time of their end. */
  withMovedAside(): { id: string; completedAt: string | null }[] {
    const rows = this.#db
      .prepare(
        `SELECT ${columns} FROM operations WHERE state = ?
         AND EXISTS (SELECT 1 FROM moved_aside WHERE operation = id AND hidden IS NOT NULL)`,
      )
      .all(states.ended)
    return (rows as Row[]).map((row) => {
      const { operationId: id, completedAt } = entryOf(row).status
      return { id, completedAt }
    })
  }

  close(): void {
    this.#db.close()
  }

  #update(status: OperationStatus, state: number, spentMs?: number): void {
    this.#db
      .prepare('UPDATE operations SET state = ?, status = ?, spent_ms = coalesce(?, spent_ms) WHERE id = ?')
      .run(state, JSON.stringify(status), spentMs ?? null, status.operationId)
  }
}

/** The last backup or restore on record, read beside a running service; null where there is none. */
export function lastOperation(statePath: string): OperationStatus | null {
  const file = `${statePath}/journal.db`
  if (!existsSync(file)) return null
  const db = new Database(file, { readonly: true, timeout: 5000 })
  try {
    return selectLast(db)
  } finally {
    db.close()
  }
}

function selectLast(db: Database.Database): OperationStatus | null {
  const row = db
    .prepare(
      `SELECT ${columns} FROM operations WHERE json_extract(status, '$.operation') NOT IN ('verify', 'delete') ORDER BY number DESC LIMIT 1`,
    )
    .get()
  return row === undefined ? null : entryOf(row as Row).status
}

function select(db: Database.Database, limit: number, before?: string): JournalEntry[] {
  const rows =
    before === undefined
      ? db.prepare(`SELECT ${columns} FROM operations ORDER BY number DESC LIMIT ?`).all(limit)
      : db
          .prepare(
            `SELECT ${columns} FROM operations WHERE number < (SELECT number FROM operations WHERE id = ?)
             ORDER BY number DESC LIMIT ?`,
          )
          .all(before, limit)
  return (rows as Row[]).map(entryOf)
}

function entryOf({ status, request, caller, state }: Row): JournalEntry {
  return {
    status: JSON.parse(status) as OperationStatus,
    request: JSON.parse(request) as Record<string, unknown>,
    caller,
    resumable: state === states.interrupted,
  }
}

function fullEntryOf(row: FullRow): Interrupted {
  const { switching, spent_ms: spentMs, boot, stalls } = row
  return { ...entryOf(row), switching: switching === 1, spentMs, boot, stalls }
}

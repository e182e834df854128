import { randomUUID } from 'node:crypto'
import { existsSync, lchownSync, mkdirSync, statSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { isFull, systemCode } from '../errors.js'

/** Who holds a lock, for whoever is refused. */
export interface Holder {
  readonly host: string
  readonly pid: number
  /** What it does: an operation's id, or `service`. */
  readonly operation: string
  /** RFC 3339. */
  readonly since: string
}

export interface FileLock {
  /** @param remove the file too: for a folder that is not ours */
  release(remove?: 'remove'): void
}

/** The lock is somebody's. */
export class Held extends Error {
  readonly holder: Holder | undefined

  constructor(holder: Holder | undefined) {
    super('the lock is held')
    this.holder = holder
  }
}

/** Who took a lock whose file was removed at that moment tries again; more often than this nobody is that unlucky. */
const mostTries = 20

/**
 * Whoever held it removed the file between our opening it and our first write: SQLite does not write to what has no name. Or somebody who had opened the removed file took
 * our journal, which has the same name, for that of a dead one, and it is gone at our commit.
 */
const removedMeanwhile: ReadonlySet<string> = new Set(['SQLITE_READONLY_DBMOVED', 'SQLITE_IOERR_DELETE_NOENT'])

/** A lock that nobody refers to any more is held all the same: better-sqlite3 closes what the garbage collector finds, and with it the lock is gone. */
const kept = new Set<Database.Database>()

/**
 * A transaction held open on a small SQLite file is a lock of the operating system. It dies with its process, and others can still read the committed
 * row that says who holds it.
 *
 * @throws Held; a system or SQLite error where the file can't be used
 */
export function lockFile(file: string, holder: Holder): FileLock {
  makeFolder(dirname(file))
  for (let tries = 1; ; tries += 1) {
    const lock = tryLock(file, holder)
    if (lock) return lock
    if (tries === mostTries) throw new Held(lookInto(file, read))
  }
}

function tryLock(file: string, holder: Holder): FileLock | null {
  const db = new Database(file, { timeout: 0 })
  const token = randomUUID()
  try {
    db.exec('CREATE TABLE IF NOT EXISTS holder (token TEXT, host TEXT, pid INTEGER, operation TEXT, since TEXT)')
    db.exec('BEGIN IMMEDIATE; DELETE FROM holder')
    const { host, pid, operation, since } = holder
    db.prepare('INSERT INTO holder VALUES (?, ?, ?, ?, ?)').run(token, host, pid, operation, since)
    db.exec('COMMIT; BEGIN IMMEDIATE')
    // Somebody else may have come between the commit and this transaction; or the file that is locked is not the one of this name any more.
    if (tokenOf(db) === token && lookInto(file, tokenOf) === token) return held(file, db)
    db.close()
    return null
  } catch (error) {
    const code = systemCode(error) ?? ''
    const why = code.startsWith('SQLITE_BUSY') ? new Held(read(db)) : error
    db.close()
    if (removedMeanwhile.has(code)) return null
    if (isFull(error)) return lockNameless(file)
    throw why
  }
}

/**
 * Where no room is left for a row: the lock alone, which says of its holder nothing. On a full disk a backup can be deleted all the same. Without a token it is the
 * inode that tells whether the name still leads to what was locked.
 */
function lockNameless(file: string): FileLock | null {
  const before = statSync(file, { throwIfNoEntry: false })?.ino
  const db = new Database(file, { timeout: 0 })
  try {
    // With a journal on disk even the beginning of a transaction on an empty file wants room.
    db.pragma('journal_mode = MEMORY')
    db.exec('BEGIN IMMEDIATE')
  } catch (error) {
    db.close()
    throw systemCode(error)?.startsWith('SQLITE_BUSY') ? new Held(undefined) : error
  }
  if (before !== undefined && statSync(file, { throwIfNoEntry: false })?.ino === before) {
    return held(file, db)
  }
  db.close()
  return null
}

function held(file: string, db: Database.Database): FileLock {
  kept.add(db)
  return {
    release: (remove) => {
      if (remove) unlinkSync(file)
      db.close()
      kept.delete(db)
    },
  }
}

function tokenOf(db: Database.Database): unknown {
  return db.prepare('SELECT token FROM holder').pluck().get()
}

/** Through the name, whatever file it leads to now. */
function lookInto<T>(file: string, look: (db: Database.Database) => T): T | undefined {
  let db: Database.Database | undefined
  try {
    db = new Database(file, { readonly: true })
    return look(db)
  } catch (error) {
    if (existsSync(file)) throw error
    return undefined
  } finally {
    db?.close()
  }
}

function read(db: Database.Database): Holder | undefined {
  try {
    return db.prepare('SELECT host, pid, operation, since FROM holder').get() as Holder | undefined
  } catch {
    // It is being written just now.
    return undefined
  }
}

/** As root a folder that has to be made belongs to whom the one above it belongs. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder, { mode: 0o700 })
  const { uid, gid } = statSync(dirname(folder))
  if (process.geteuid?.() === 0) lchownSync(folder, uid, gid)
}

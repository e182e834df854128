import { existsSync, realpathSync, rmSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { isServiceError, ServiceError } from '../errors.js'
import { beforeRestoreName, beforeRestorePart, keepBeforeRestore, keepFileBeforeRestore } from './before-restore.js'
import { checkDatabase } from './check.js'
import { exchangeContent, makeWalDurable, schemaVersion } from './exchange.js'
import { databaseFailure } from './failure.js'
import { replaceFile } from './replace-file.js'
import { copyPages, defaultDeadline, openSource, refuseEmpty, removeDatabase } from './snapshot.js'

export interface RestoreDatabaseOptions {
  /** A proven copy that nobody else has open. */
  readonly from: string
  /** The live database. */
  readonly to: string
  /** How long other writers may keep us waiting, in ms. */
  readonly deadlineMs?: number
  /** Owner of a file that is made anew; needs root. */
  readonly owner?: { readonly uid: number; readonly gid: number }
}

/**
 * Puts `from` in the place of the live database `to`, whose old state stays as `<to>.before-restore`.
 *
 * Into a live database it goes by SQLite's online backup, under SQLite's own locks, so that an Arc that has it open stays safe and sees the restored rows
 * without reopening; so too into one with damaged pages, which Arc may well have open. Where SQLite can't open it at all, nobody else can: there the file
 * is replaced by a rename.
 *
 * @returns path of the old state, or null where there was none
 * @throws SQLITE_INVALID, SQLITE_BUSY, INTEGRITY, STORE_FULL; the live database is then as it was
 */
export async function restoreDatabase(options: RestoreDatabaseOptions): Promise<{ before: string | null }> {
  const { from } = options
  checkDatabase(from)
  try {
    if (!existsSync(options.to)) {
      replaceDatabase(options, options.to)
      return { before: null }
    }
    // A link stays a link: what it points to is replaced.
    const to = realpathSync(options.to)
    const deadlineMs = options.deadlineMs ?? defaultDeadline
    const deadline = Date.now() + deadlineMs
    const live = openLive(to, deadlineMs)
    if (live) return { before: await restoreInto(live, options, deadline) }
    const before = keepFileBeforeRestore(to)
    replaceDatabase({ owner: statSync(to), ...options }, to)
    return { before }
  } catch (error) {
    throw databaseFailure(error, 'restore', options.to)
  }
}

/**
 * A connection to the live database, or null where that is none that SQLite can read. It is tried read-only first: a connection that may write takes the
 * WAL of an unreadable file away when it closes, and that WAL may be all that is left.
 */
function openLive(path: string, timeout: number): Database.Database | null {
  try {
    refuseEmpty(path)
    const probe = openSource(path, timeout)
    try {
      schemaVersion(probe)
    } finally {
      probe.close()
    }
    return new Database(path, { fileMustExist: true, timeout })
  } catch (error) {
    if (isServiceError(databaseFailure(error, 'open', path), 'SQLITE_INVALID')) return null
    throw error
  }
}

/**
 * Can this copy go into the live database at all? Asked before anything live is touched; one that can't be opened now is left to the restore.
 *
 * @throws SQLITE_INVALID
 */
export function checkFit(from: string, to: string): void {
  if (!existsSync(to)) return
  let live: Database.Database
  try {
    refuseEmpty(to)
    live = openSource(realpathSync(to))
  } catch {
    return
  }
  try {
    refuseOtherPageSize(from, live)
  } catch (error) {
    if (isServiceError(error)) throw error
  } finally {
    live.close()
  }
}

async function restoreInto(
  live: Database.Database,
  options: RestoreDatabaseOptions,
  deadline: number,
): Promise<string> {
  const before = beforeRestoreName(live.name)
  const part = beforeRestorePart(live.name)
  let kept = false
  const keep = async () => {
    await copyPages(live.name, part, deadline)
    makeSingleFile(part)
    keepBeforeRestore(live.name)
    kept = true
  }
  try {
    refuseOtherPageSize(options.from, live)
    const version = schemaVersion(live)
    try {
      await exchangeContent(options.from, live, deadline, keep)
    } catch (error) {
      // The live database is as it was: a second copy of it would only take room, and the next try would make a third.
      if (kept) rmSync(before, { force: true })
      throw error
    }
    if (schemaVersion(live) === version) {
      throw new ServiceError('INTEGRITY', `the restore of ${live.name} did not take effect`, { path: live.name })
    }
    makeWalDurable(live)
    return before
  } finally {
    removeDatabase(part)
    live.close()
  }
}

/** SQLite's backup can't change the page size of a database in WAL mode, and calls it read-only. */
function refuseOtherPageSize(from: string, live: Database.Database): void {
  if (live.pragma('journal_mode', { simple: true }) !== 'wal') return
  const source = new Database(from, { readonly: true })
  const expected = live.pragma('page_size', { simple: true })
  const found = source.pragma('page_size', { simple: true })
  source.close()
  if (expected === found) return
  const why = `the backup has pages of ${found} bytes, the live database of ${expected}; stop Arc, move the file away and restore again`
  throw new ServiceError('SQLITE_INVALID', `cannot restore ${live.name}: ${why}`, { path: live.name, expected, found })
}

/** In WAL mode the first reader would make `-wal` and `-shm` beside it. Damaged pages stay as they are. */
function makeSingleFile(path: string): void {
  const db = new Database(path)
  db.pragma('journal_mode = DELETE')
  db.close()
}

/** The stale files of a database that could not be opened go, or SQLite would play them into the new one. */
function replaceDatabase(options: RestoreDatabaseOptions, to: string): void {
  const beforeRename = () => {
    for (const end of ['-wal', '-shm', '-journal']) rmSync(to + end, { force: true })
  }
  replaceFile({ from: options.from, to, mode: 0o600, owner: options.owner, beforeRename })
}

import { chmodSync, closeSync, constants, copyFileSync, existsSync, openSync, rmSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { ServiceError, systemCode } from '../errors.js'
import { checkDatabase } from './check.js'
import { databaseFailure, isBusy } from './failure.js'

/** How long a writer that holds the database may keep us waiting, in ms, and the pause between two tries. */
export const defaultDeadline = 30_000
export const pause = 50

/** For the progress callback of a restore: all pages in one step, for between two steps a writer could make it start again. */
export const allPages = 0x7fffffff

/** Between two steps of a snapshot somebody may end it; the read transaction keeps it from starting again. 32 MiB of Arc's pages take 0.1 s. */
const pagesPerStep = 8192

/**
 * Copies a live database, WAL included, by SQLite's online backup into a new file `to` (0600, journal mode DELETE), and checks the copy.
 *
 * The read transaction held open on the source keeps other writers from restarting the copy: without it, 335 MiB with one small write each 50 ms had
 * not ended after 20 s and 399 restarts; with it, it took 0.8 s.
 *
 * @returns size of the copy in bytes
 * @throws STORE_NOT_FOUND, SQLITE_INVALID, SQLITE_BUSY, STORE_FULL; nothing stays under `to`
 */
export async function snapshotDatabase(options: {
  path: string
  to: string
  deadlineMs?: number
  /** Called between two steps; what it throws ends the snapshot. */
  check?: () => void
}): Promise<{ size: number }> {
  const { path, to } = options
  try {
    refuseEmpty(path)
    try {
      await copyPages(path, to, Date.now() + (options.deadlineMs ?? defaultDeadline), options.check)
    } catch (error) {
      if (!needsFilesBeside(error) || !copyIdle(path, to)) throw error
    }
    checkDatabase(to, path)
    return { size: statSync(to).size }
  } catch (error) {
    removeDatabase(to)
    throw databaseFailure(error, 'copy', path)
  }
}

/** Copies the pages as they are, sound or not. */
export async function copyPages(path: string, to: string, deadline: number, check = () => {}): Promise<void> {
  for (;;) {
    check()
    createPrivate(to)
    try {
      if (await copyOnce(path, to, check)) return
    } catch (error) {
      if (!isBusy(error)) throw error
    }
    if (Date.now() > deadline)
      throw new ServiceError('SQLITE_BUSY', `cannot copy ${path}: another process holds it`, { path })
    await sleep(pause)
  }
}

/** Resolves with false where somebody else holds a lock: SQLite's backup then resolves with zero pages and has copied nothing. */
async function copyOnce(path: string, to: string, check: () => void): Promise<boolean> {
  const source = openSource(path)
  try {
    source.exec('BEGIN')
    // A transaction begins with the first read, not with BEGIN.
    source.prepare('SELECT count(*) FROM sqlite_master').get()
    const progress = (): number => {
      check()
      return pagesPerStep
    }
    return (await source.backup(to, { progress })).totalPages > 0
  } finally {
    source.close()
  }
}

/** Did SQLite fail to make the files that it needs beside a database in WAL mode, even to read it? */
function needsFilesBeside(error: unknown): boolean {
  return /^SQLITE_(READONLY_DIRECTORY|CANTOPEN)/.test(systemCode(error) ?? '')
}

/**
 * The file as it is, of a database in a folder where nothing may be written and that nobody has open: without a WAL there is nothing to it but the file.
 *
 * @returns false where somebody has opened it meanwhile, or left a WAL behind
 */
function copyIdle(path: string, to: string): boolean {
  const look = (): string => {
    const { ino, size, mtimeMs } = statSync(path)
    return [ino, size, mtimeMs, existsSync(`${path}-wal`), existsSync(`${path}-journal`)].join()
  }
  const before = look()
  if (before.includes('true')) return false
  removeDatabase(to)
  copyFileSync(path, to, constants.COPYFILE_EXCL)
  chmodSync(to, 0o600)
  return look() === before
}

/**
 * Read-only while there is a WAL or a journal, so that closing does not move its rows into a database that isn't ours. Without them there is nothing to
 * move, and only a connection that may write takes the `-wal` and `-shm` away again that reading a closed WAL database makes.
 */
export function openSource(path: string, timeout = pause): Database.Database {
  const readonly = existsSync(`${path}-wal`) || existsSync(`${path}-journal`)
  return new Database(path, { readonly, fileMustExist: true, timeout })
}

/** SQLite takes an empty file for an empty database. By stat: opening a live file here would drop this process's locks on it. */
export function refuseEmpty(path: string): void {
  if (statSync(path).size === 0)
    throw new ServiceError('SQLITE_INVALID', `${path} is empty, not a SQLite database`, { path })
}

/** An empty file for SQLite to fill: one that SQLite makes is 0644 until it is changed, and a thread has no umask of its own. */
function createPrivate(path: string): void {
  removeDatabase(path)
  closeSync(openSync(path, 'wx', 0o600))
  chmodSync(path, 0o600)
}

/** A database file with the files that SQLite may have left beside it. */
export function removeDatabase(path: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(path + end, { force: true })
}

import { randomInt } from 'node:crypto'
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { ServiceError, systemCode } from '../errors.js'
import { beforeRestoreName } from './before-restore.js'
import { checkDatabase } from './check.js'
import { makeDurable } from './durable.js'
import { databaseFailure } from './failure.js'
import { defaultDeadline, snapshotDatabase } from './snapshot.js'

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

const pause = 50

/**
 * Puts `from` in the place of the live database `to`, whose old state stays as `<to>.before-restore`.
 *
 * Into a live database it goes by SQLite's online backup, in one step under SQLite's own locks, so that an Arc that has it open stays safe and sees the
 * restored rows without reopening. Where there is no sound database, the file is replaced by a rename.
 *
 * @returns path of the old state, or null where there was none
 * @throws SQLITE_INVALID, SQLITE_BUSY, INTEGRITY, STORE_FULL; the live database is then as it was
 */
export async function restoreDatabase(options: RestoreDatabaseOptions): Promise<{ before: string | null }> {
  const { from, to } = options
  const deadlineMs = options.deadlineMs ?? defaultDeadline
  checkDatabase(from)
  try {
    if (!existsSync(to)) {
      replaceFile(from, to, options.owner)
      return { before: null }
    }
    const before = await keepOldState(to, deadlineMs)
    if (before.sound) await writeInto(from, to, Date.now() + deadlineMs)
    else replaceFile(from, to, options.owner)
    return { before: before.path }
  } catch (error) {
    throw databaseFailure(error, 'restore', to)
  }
}

/** The old state, taken like any snapshot so that its WAL is in it; a file that is no sound database is kept as it is, with its WAL. */
async function keepOldState(path: string, deadlineMs: number): Promise<{ path: string; sound: boolean }> {
  const temporary = `${path}.before-restore.part`
  try {
    await snapshotDatabase({ path, to: temporary, deadlineMs })
    const kept = beforeRestoreName(path)
    renameSync(temporary, kept)
    makeDurable(kept)
    return { path: kept, sound: true }
  } catch (error) {
    if (!(error instanceof ServiceError && error.code === 'SQLITE_INVALID')) throw error
  }
  const kept = beforeRestoreName(path)
  for (const end of ['', '-wal']) {
    if (!existsSync(path + end)) continue
    copyFileSync(path + end, kept + end)
    chmodSync(kept + end, 0o600)
    makeDurable(kept + end)
  }
  return { path: kept, sound: false }
}

/**
 * SQLite's backup resolves where another writer held the database, and has copied nothing. So the copy carries a mark that no writer touches, its
 * `user_version`: seen in the live database, it proves that the copy went in, whatever Arc has written since. Arc keeps none of its own.
 */
async function writeInto(from: string, to: string, deadline: number): Promise<void> {
  const source = new Database(from, { fileMustExist: true })
  try {
    const version = readVersion(source)
    const mark = randomInt(1, 2 ** 31 - 1)
    source.pragma(`user_version = ${mark}`)
    while (!(await copyInto(source, to))) {
      if (Date.now() > deadline) {
        throw new ServiceError('SQLITE_BUSY', `cannot restore ${to}: another process holds it`, { path: to })
      }
      await sleep(pause)
    }
    confirm(to, mark, version, deadline)
  } finally {
    source.close()
  }
}

/** Resolves with false where another writer held the database. */
async function copyInto(source: Database.Database, to: string): Promise<boolean> {
  try {
    // All pages in one step: between steps a writer could make it start again.
    const { totalPages } = await source.backup(to, { progress: () => 0x7fffffff })
    return totalPages > 0
  } catch (error) {
    if (systemCode(error)?.startsWith('SQLITE_BUSY')) return false
    throw error
  }
}

function confirm(to: string, mark: number, version: number, deadline: number): void {
  const live = new Database(to, { fileMustExist: true, timeout: Math.max(1000, deadline - Date.now()) })
  try {
    const found = readVersion(live)
    if (found !== mark) {
      throw new ServiceError('INTEGRITY', `the restore of ${to} did not take effect`, {
        path: to,
        expected: mark,
        found,
      })
    }
    live.pragma(`user_version = ${version}`)
    const check = live.pragma('quick_check(1)', { simple: true })
    if (check !== 'ok')
      throw new ServiceError('INTEGRITY', `${to} is damaged after the restore: ${check}`, { path: to })
  } finally {
    live.close()
  }
}

function readVersion(db: Database.Database): number {
  return db.pragma('user_version', { simple: true }) as number
}

/** By copy, sync and rename; the stale files of a database that could not be opened go, or SQLite would play them into the new one. */
function replaceFile(from: string, to: string, owner: RestoreDatabaseOptions['owner']): void {
  const temporary = `${to}.restore.part`
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
  try {
    copyFileSync(from, temporary)
    chmodSync(temporary, 0o600)
    if (owner) chownSync(temporary, owner.uid, owner.gid)
    makeDurable(temporary)
    for (const end of ['-wal', '-shm', '-journal']) rmSync(to + end, { force: true })
    renameSync(temporary, to)
    makeDurable(to)
  } finally {
    rmSync(temporary, { force: true })
  }
}

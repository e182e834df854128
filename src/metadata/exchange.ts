import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { ServiceError } from '../errors.js'
import { isBusy } from './failure.js'
import { allPages, pause } from './snapshot.js'

/**
 * Copies `from` into the live database by SQLite's online backup, in one transaction of SQLite's: whoever has it open is safe and sees the new rows
 * without reopening. The journal mode of the live database stays.
 *
 * In WAL mode `keep` runs while the backup already holds the write lock, so that what it keeps is exactly what goes: rows that others commit while we
 * wait for the lock are in it. A rollback journal's lock shuts out readers too, so there `keep` has to run before.
 *
 * @param live an open connection to the live database
 * @param deadline until when to wait for other writers, in ms since 1970
 * @throws SQLITE_BUSY, what `keep` rejected with, or SQLite's own error; nothing has been committed then
 */
export async function exchangeContent(
  from: string,
  live: Database.Database,
  deadline: number,
  keep: () => Promise<void>,
): Promise<void> {
  const source = new Database(from, { readonly: true, fileMustExist: true })
  try {
    const underLock = live.pragma('journal_mode', { simple: true }) === 'wal'
    if (!underLock) await keep()
    while (!(await copyInto(source, live.name, underLock ? keep : async () => {}))) {
      if (Date.now() > deadline) {
        const why = 'another process holds it'
        throw new ServiceError('SQLITE_BUSY', `cannot restore ${live.name}: ${why}`, { path: live.name })
      }
      await sleep(pause)
    }
  } finally {
    source.close()
  }
}

/**
 * SQLite's backup sets the schema version of its destination to one more, in the same transaction, and writers of rows leave it alone. So a change proves
 * that the copy went in, whatever has been written since, and without a mark of ours in either database.
 */
export function schemaVersion(db: Database.Database): number {
  return db.pragma('schema_version', { simple: true }) as number
}

/** A commit into a WAL is not synced (better-sqlite3: synchronous=NORMAL); a restore is not to be lost to a power cut after it was called complete. */
export function makeWalDurable(live: Database.Database): void {
  try {
    live.pragma('wal_checkpoint(PASSIVE)')
  } catch {
    // The restored pages are then in the WAL alone, and stay valid there.
  }
  if (!existsSync(`${live.name}-wal`)) return
  const wal = openSync(`${live.name}-wal`, 'r')
  try {
    fsyncSync(wal)
  } finally {
    closeSync(wal)
  }
}

/** Resolves with false where another writer held the database: SQLite's backup then resolves with zero pages, and has copied nothing. */
async function copyInto(source: Database.Database, to: string, keep: () => Promise<void>): Promise<boolean> {
  let kept: 'no' | 'running' | 'yes' = 'no'
  let failure: unknown
  // The first step takes the lock and copies no page; as long as no page is asked for, the backup only holds it.
  const progress = (): number => {
    if (failure !== undefined) throw failure
    if (kept === 'no') {
      kept = 'running'
      keep().then(
        () => {
          kept = 'yes'
        },
        (error: unknown) => {
          failure = error
        },
      )
    }
    return kept === 'yes' ? allPages : 0
  }
  try {
    return (await source.backup(to, { progress })).totalPages > 0
  } catch (error) {
    if (failure === undefined && isBusy(error)) return false
    throw error
  }
}

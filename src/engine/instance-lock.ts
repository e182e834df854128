import { mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import Database from 'better-sqlite3'
import { isServiceError, ServiceError, systemCode } from '../errors.js'

export interface InstanceLock {
  release(): void
}

interface Holder {
  pid: number
  host: string
  since: string
}

/**
 * One service for a `state_path`: a transaction held open on a small SQLite file is a lock of the operating system. It dies with its process, and
 * others can still read the committed row that says who holds it.
 *
 * @throws BUSY naming the holder, with `detail.holder`.
 */
export function lockState(statePath: string): InstanceLock {
  const db = openLock(statePath)
  try {
    db.exec('CREATE TABLE IF NOT EXISTS holder (pid INTEGER, host TEXT, since TEXT)')
    db.exec('BEGIN IMMEDIATE; DELETE FROM holder')
    db.prepare('INSERT INTO holder VALUES (?, ?, ?)').run(process.pid, hostname(), new Date().toISOString())
    db.exec('COMMIT; BEGIN IMMEDIATE')
    const holder = db.prepare('SELECT * FROM holder').get() as Holder
    if (holder.pid !== process.pid) throw held(statePath, holder)
  } catch (error) {
    const failure = systemCode(error)?.startsWith('SQLITE_BUSY') ? busy(db, statePath) : error
    db.close()
    throw isServiceError(failure) ? failure : unusable(statePath, failure)
  }
  return { release: () => void db.close() }
}

function openLock(statePath: string): Database.Database {
  try {
    mkdirSync(statePath, { recursive: true, mode: 0o700 })
    return new Database(`${statePath}/lock.db`, { timeout: 0 })
  } catch (error) {
    throw unusable(statePath, error)
  }
}

function busy(db: Database.Database, statePath: string): ServiceError {
  try {
    return held(statePath, db.prepare('SELECT * FROM holder').get() as Holder | undefined)
  } catch {
    return held(statePath, undefined)
  }
}

function held(statePath: string, holder: Holder | undefined): ServiceError {
  const who = holder ? `process ${holder.pid} on ${holder.host} since ${holder.since}` : 'another process'
  return new ServiceError('BUSY', `another arc-backup uses backup.state_path ${statePath}: ${who}`, { holder })
}

function unusable(statePath: string, cause: unknown): ServiceError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ServiceError('STORE_DENIED', `cannot use backup.state_path ${statePath}: ${why}`, { cause })
}

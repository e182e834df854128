import { existsSync, readFileSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { systemCode } from '../errors.js'

/** In bytes; reading it takes the main thread 0.1 s, and as much memory. */
const largest = 128 << 20
/** Where a header says how the file is written and read: 2 is WAL, 1 a rollback journal. */
const modes = [18, 19]

/** Did SQLite fail to make the files that it needs beside a database in WAL mode, even to read it? */
export function needsFilesBeside(error: unknown): boolean {
  return /^SQLITE_(READONLY_DIRECTORY|CANTOPEN)/.test(systemCode(error) ?? '')
}

/** Changes when the file does, and when somebody opens it. */
export function markOf(path: string): string {
  const { dev, ino, size, mtimeMs } = statSync(path)
  return [dev, ino, size, mtimeMs, existsSync(`${path}-wal`)].join(':')
}

/**
 * A database that nobody has open, in a folder where nothing may be written, as it is now: in memory.
 * Undefined where it is too large, or somebody has left a WAL, which would be missing.
 */
export function readIdle(path: string): Database.Database | undefined {
  const mark = markOf(path)
  if (mark.endsWith('true') || statSync(path).size > largest) return undefined
  const content = readFileSync(path)
  for (const at of modes) if (content[at] === 2) content[at] = 1
  return mark === markOf(path) ? new Database(content, { readonly: true }) : undefined
}

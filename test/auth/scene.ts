import { pbkdf2Sync } from 'node:crypto'
import Database from 'better-sqlite3'
import type { Test } from 'tap'
import { sha256 } from '../../src/auth/token-hash.js'
import { copyFixture } from '../support/fixture.js'

export interface Row {
  readonly name: string
  readonly token: string
  readonly hash?: string | Buffer
  readonly prefix?: string | null
  readonly permissions?: string | Buffer | null
  readonly expiresAt?: unknown
  readonly createdAt?: string | null
  readonly enabled?: number
}

/** A copy of the `arc.db` that a real Arc wrote, and the connection that Arc would have. */
export interface Arc {
  readonly path: string
  readonly db: Database.Database
  add(row: Row): number
}

export function openArc(t: Test, folder = t.testdir({})): Arc {
  copyFixture(folder)
  const path = `${folder}/data/arc.db`
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  t.teardown(() => db.close())
  const insert = db.prepare(
    'INSERT INTO api_tokens (name, token_hash, token_prefix, permissions, expires_at, created_at, enabled) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const add: Arc['add'] = (row) => {
    const { name, token, hash = quickHash(token), prefix = sha256(token).slice(0, 16), permissions = 'admin' } = row
    const { expiresAt = null, createdAt = '2026-01-01 00:00:00', enabled = 1 } = row
    return Number(insert.run(name, hash, prefix, permissions, expiresAt, createdAt, enabled).lastInsertRowid)
  }
  return { path, db, add }
}

/** Arc's own form, with fewer rounds than Arc takes. */
export function quickHash(token: string, rounds = 1000): string {
  const salt = Buffer.from('0123456789abcdef')
  const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
  return `$pbkdf2-sha256$${rounds}$${unpadded(salt)}$${unpadded(pbkdf2Sync(token, salt, rounds, 32, 'sha256'))}`
}

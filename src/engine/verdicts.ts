import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { VerifyLevel, VerifyStatus } from './operation.js'

/** How the last verify of a backup ended. */
export interface Verdict {
  readonly backupId: string
  /** Name of the target. */
  readonly target: string
  /** SHA-256 (hex) of the manifest that was looked at; '' for a damaged one. */
  readonly manifest: string
  readonly level: VerifyLevel
  readonly verdict: NonNullable<VerifyStatus['verdict']>
  /** RFC 3339. */
  readonly at: string
  readonly operation: string
}

/** A backup's keys in a list. */
export interface Verified {
  readonly verified?: Verdict['verdict']
  readonly verified_at?: string
}

/** In the place of the manifest's hash, once the backup was deleted. */
const gone = 'gone'

const levels = ['quick', 'full', 'deep'] as const satisfies readonly VerifyLevel[]

/**
 * What is known of backups that were verified. On this service's side, not beside the backups: a target may be read-only. A verdict is about a backup at a
 * target with this manifest; another backup under the same name is not it.
 */
export class Verdicts {
  readonly #db: Database.Database
  readonly #folder: string

  constructor(statePath: string) {
    this.#folder = `${statePath}/findings`
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    this.#db = new Database(`${statePath}/verdicts.db`)
    this.#db.pragma('journal_mode = WAL')
    this.#db.exec(
      `CREATE TABLE IF NOT EXISTS verdicts (backupId TEXT, target TEXT, manifest TEXT, level TEXT, verdict TEXT, at TEXT, operation TEXT,
        PRIMARY KEY (backupId, target))`,
    )
  }

  of(backupId: string, target: string, manifest: string): Verified {
    return verifiedOf(this.#find(backupId, target), manifest)
  }

  /**
   * Replaces the verdict before it, with its findings; but a look that found nothing does not clear what a closer one found.
   *
   * @param findings file that is taken over; it need not be there
   */
  keep(verdict: Verdict, findings: string): void {
    const before = this.#find(verdict.backupId, verdict.target)
    if (before && outlasts(before, verdict)) return
    if (existsSync(findings)) renameSync(findings, this.findingsOf(verdict.operation))
    this.#db
      .prepare(
        'INSERT OR REPLACE INTO verdicts VALUES (@backupId, @target, @manifest, @level, @verdict, @at, @operation)',
      )
      .run(verdict)
    if (before) rmSync(this.findingsOf(before.operation), { force: true })
  }

  /** The backup is gone. What was found damaged in it stays on record: others may share these files. */
  forget(backupId: string, target: string): void {
    const before = this.#find(backupId, target)
    if (!before) return
    if (before.verdict === 'damaged') {
      this.#db.prepare('UPDATE verdicts SET manifest = ? WHERE backupId = ? AND target = ?').run(gone, backupId, target)
      return
    }
    this.#db.prepare('DELETE FROM verdicts WHERE backupId = ? AND target = ?').run(backupId, target)
    rmSync(this.findingsOf(before.operation), { force: true })
  }

  /** Verdicts of damage since then (RFC 3339, in UTC), those of deleted backups among them. Older ones of deleted backups are dropped: nobody will ask for them again. */
  damaged(target: string, since: string): Verdict[] {
    const outdated = this.#db.prepare(
      'DELETE FROM verdicts WHERE target = ? AND manifest = ? AND at < ? RETURNING operation',
    )
    for (const operation of outdated.pluck().all(target, gone, since)) {
      rmSync(this.findingsOf(String(operation)), { force: true })
    }
    const select = this.#db.prepare("SELECT * FROM verdicts WHERE target = ? AND verdict = 'damaged' AND at >= ?")
    return select.all(target, since) as Verdict[]
  }

  /** File with all that an operation found, a line of JSON each. Not there where nothing was found, or a later verdict took its place. */
  findingsOf(operation: string): string {
    return `${this.#folder}/${operation}.jsonl`
  }

  close(): void {
    this.#db.close()
  }

  #find(backupId: string, target: string): Verdict | undefined {
    return find(this.#db, backupId, target)
  }
}

/** The same to read beside a running service; a state that is not there, or can't be read, has no verdicts. */
export function readVerdicts(statePath: string): Pick<Verdicts, 'of' | 'close'> {
  const file = `${statePath}/verdicts.db`
  if (!existsSync(file)) return { of: () => ({}), close: () => {} }
  const db = new Database(file, { readonly: true, timeout: 5000 })
  return {
    of: (backupId, target, manifest) => verifiedOf(find(db, backupId, target), manifest),
    close: () => void db.close(),
  }
}

function find(db: Database.Database, backupId: string, target: string): Verdict | undefined {
  const select = db.prepare('SELECT * FROM verdicts WHERE backupId = ? AND target = ?')
  return select.get(backupId, target) as Verdict | undefined
}

function verifiedOf(found: Verdict | undefined, manifest: string): Verified {
  return found?.manifest === manifest ? { verified: found.verdict, verified_at: found.at } : {}
}

function outlasts(before: Verdict, { manifest, verdict, level }: Verdict): boolean {
  if (before.verdict !== 'damaged' || verdict === 'damaged') return false
  return before.manifest === manifest && levels.indexOf(level) < levels.indexOf(before.level)
}

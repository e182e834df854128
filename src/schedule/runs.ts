import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'

/** How a run ended: as the worst of its operations. */
export type RunOutcome = 'completed' | 'gaps' | 'failed' | 'cancelled' | 'interrupted'

/** One run of the schedule. Times in ms since the epoch. */
export interface Run {
  readonly number: number
  /** When it should have begun. */
  readonly due: number
  /** Until when what was due is done with this run: when its backup began. */
  readonly covers: number
  /** How often more the schedule was due until then: those runs are not made up. */
  readonly missed: number
  readonly began: number
  /** Null while it is under way. */
  readonly ended: number | null
  readonly outcome: RunOutcome | null
  /** What an operator should know of it. */
  readonly note: string | null
  /** Ids of its operations, on record here before they begin; null: it has not come to that. */
  readonly backup: string | null
  readonly verify: string | null
  readonly prune: string | null
  /** How often its backup was begun. */
  readonly attempts: number
}

/** Runs that are kept. */
const mostRuns = 1000
/** A clock that is put back by less (ms) was wrong by little; by more: what was written by it counts no more. */
const trusted = 3_600_000

/**
 * What has run by the schedule, durably: a row is there before anything of the run begins. In the state, so that nobody else writes it meanwhile. `schedule` says since
 * when the schedule is what it is: what an earlier one would have been due is not made up.
 */
export class Runs {
  readonly #db: Database.Database
  readonly #most: number

  private constructor(db: Database.Database, most: number) {
    this.#db = db
    this.#most = most
  }

  /** @param most runs that are kept */
  static open(statePath: string, most = mostRuns): Runs {
    const db = new Database(fileOf(statePath))
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.exec(`
      CREATE TABLE IF NOT EXISTS schedule (cron TEXT NOT NULL, timezone TEXT NOT NULL, since INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, due INTEGER NOT NULL, covers INTEGER NOT NULL, missed INTEGER NOT NULL,
        began INTEGER NOT NULL, ended INTEGER, outcome TEXT, note TEXT, backup TEXT, "verify" TEXT, prune TEXT, attempts INTEGER NOT NULL)`)
    return new Runs(db, most)
  }

  /** To be read beside a running service; null where nothing ever ran by a schedule. */
  static read(statePath: string): Runs | null {
    if (!existsSync(fileOf(statePath))) return null
    return new Runs(new Database(fileOf(statePath), { readonly: true, timeout: 5000 }), mostRuns)
  }

  /** From here on this is the schedule. A run that another one began is not gone on with. */
  adopt(cron: string, timezone: string, now: number): void {
    const known = this.#db.prepare('SELECT 1 FROM schedule WHERE cron = ? AND timezone = ?').get(cron, timezone)
    if (known) return
    this.#db.transaction(() => {
      this.retire(now)
      this.#db.prepare('INSERT INTO schedule VALUES (?, ?, ?)').run(cron, timezone, now)
    })()
  }

  /** There is no schedule. */
  retire(now: number): void {
    this.#db.prepare('DELETE FROM schedule').run()
    this.#db.prepare("UPDATE runs SET ended = ?, outcome = 'interrupted' WHERE ended IS NULL").run(now)
  }

  /** All that was due until then is done with. */
  coveredUntil(now: number): number {
    const { since } = (this.#db.prepare('SELECT since FROM schedule').get() ?? {}) as { since?: number }
    const known = [since, this.last(1)[0]?.covers].filter((at) => at !== undefined && at <= now + trusted) as number[]
    return known.length === 0 ? now : Math.max(...known)
  }

  begin(due: number, now: number): Run {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO runs (due, covers, missed, began, attempts) VALUES (?, ?, 0, ?, 0)')
      .run(due, due, now)
    const number = Number(lastInsertRowid)
    this.#db.prepare('DELETE FROM runs WHERE number <= ?').run(number - this.#most)
    return this.#find(number)
  }

  /** What has become of it. */
  note(number: number, change: Partial<Omit<Run, 'number' | 'due' | 'began'>>): Run {
    const fields = Object.keys(change)
    const set = fields.map((field) => `"${field}" = @${field}`).join(', ')
    this.#db.prepare(`UPDATE runs SET ${set} WHERE number = @number`).run({ ...change, number })
    return this.#find(number)
  }

  /** The one that is under way, or was when its process ended. */
  open(): Run | null {
    const run = this.#db.prepare('SELECT * FROM runs WHERE ended IS NULL ORDER BY number LIMIT 1').get()
    return (run as Run | undefined) ?? null
  }

  /** Newest first. */
  last(limit: number): Run[] {
    return this.#db.prepare('SELECT * FROM runs ORDER BY number DESC LIMIT ?').all(limit) as Run[]
  }

  close(): void {
    this.#db.close()
  }

  #find(number: number): Run {
    return this.#db.prepare('SELECT * FROM runs WHERE number = ?').get(number) as Run
  }
}

/** A service without a schedule: one that it had, and may have again, is not to be made up then. */
export function retireRuns(statePath: string, now: number): void {
  if (!existsSync(fileOf(statePath))) return
  const runs = Runs.open(statePath)
  runs.retire(now)
  runs.close()
}

function fileOf(statePath: string): string {
  return `${statePath}/schedule.db`
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import Database from 'better-sqlite3'

/** Another process that has a database open, as Arc has. It runs `body` (with `db`, `say`, `sleep`), prints lines, and ends when `stop()` sets `over`. */
export class Neighbour {
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  #heard: () => void = () => {}

  constructor(path: string, body: string, options = '{}') {
    const code = `
      const Database = require('better-sqlite3')
      const db = new Database(process.argv[1], ${options})
      const say = (line) => process.stdout.write(line + '\\n')
      const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
      let over = false
      const ended = new Promise((done) => process.stdin.once('data', () => { over = true; done() }))
      const main = async () => { ${body} }
      main().then(() => { db.close(); process.exit(0) }, (error) => { console.error(error); process.exit(1) })`
    this.#child = spawn(process.execPath, ['-e', code, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#exit = once(this.#child, 'exit')
    let rest = ''
    this.#child.stdout?.on('data', (data: Buffer) => {
      const parts = (rest + data.toString()).split('\n')
      rest = parts.pop() ?? ''
      this.lines.push(...parts)
      this.#heard()
    })
  }

  /** Resolves with the first line that begins so. */
  async hear(start: string): Promise<string> {
    for (;;) {
      const line = this.lines.find((candidate) => candidate.startsWith(start))
      if (line !== undefined) return line.slice(start.length).trim()
      if (this.#child.exitCode !== null) throw new Error(`the other process ended before it said "${start}"`)
      await new Promise<void>((done) => {
        this.#heard = done
        this.#child.once('exit', () => done())
      })
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.stdin?.write('over\n')
    await this.#exit
  }
}

/** A database with the rows in table `t`, in WAL mode as Arc's is; closed. */
export function makeDatabase(path: string, rows: readonly string[], options: { mode?: string; blobs?: number } = {}) {
  const db = new Database(path)
  db.pragma(`journal_mode = ${options.mode ?? 'WAL'}`)
  db.exec('CREATE TABLE t (a TEXT); CREATE TABLE blobs (b BLOB)')
  for (const row of rows) db.prepare('INSERT INTO t VALUES (?)').run(row)
  const add = db.prepare('INSERT INTO blobs VALUES (randomblob(4000))')
  db.transaction(() => {
    for (let number = 0; number < (options.blobs ?? 0); number += 1) add.run()
  })()
  db.close()
  return path
}

/** A table `blobs` of so many rows of 4,000 bytes beside what is there, in WAL mode as Arc's database is. */
export function growDatabase(path: string, rows: number): void {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE IF NOT EXISTS t (a TEXT); CREATE TABLE blobs (b BLOB)')
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO blobs SELECT randomblob(4000) FROM n`)
  db.close()
}

export function rowsOf(path: string): unknown[] {
  const db = new Database(path)
  try {
    return db.prepare('SELECT a FROM t ORDER BY rowid').pluck().all()
  } finally {
    db.close()
  }
}

export function integrityOf(path: string): unknown {
  const db = new Database(path)
  try {
    return db.pragma('integrity_check', { simple: true })
  } finally {
    db.close()
  }
}

import { existsSync, rmSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { fromFailure } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { type Batch, type BatchFile, fileStates, pack, packBatches, unpack } from './batch.js'
import type { Census } from './census.js'
import { runLanes } from './lanes.js'
import { type Moved, reportOn } from './report.js'
import type { Run } from './run.js'

/** A file that the interrupted run had copied: an entry of its sidecar. */
interface Entry {
  path: string
  sha256: string
  size_bytes: number
  source_mtime_ns: string
  source_etag?: string
  copy_etag?: string
  hashed_at?: string
  proof?: 'etag'
}

interface Known {
  path: string
  size: number
  mtime: string
  etag: string
  sha256: string
  /** Tag of the copy; '' where there is none. */
  copy: string
  /** When an earlier backup's copy was hashed; '' for one that this backup made. */
  hashedAt: string
  proof: string
  /** 1: the target has it. */
  present: number
  /** 1: the source still has it as it was. */
  matched: number
}

/** Files that are looked at before the main thread is somebody else's. */
const perPage = 256

/**
 * What a backup had copied before it was interrupted. A file counts only if its outcome is on record and the target still has it with that size; after a
 * power cut, on a local disk, only if its content is still what was hashed: files of the right size were seen there that were all zeros. Everything else
 * that the target shows of this backup is removed, so that what is copied again finds its name free.
 */
export class Earlier {
  readonly #run: Run
  readonly #census: Census
  readonly #db: Database.Database

  private constructor(run: Run, census: Census, db: Database.Database) {
    this.#run = run
    this.#census = census
    this.#db = db
  }

  /** Null for a backup that runs for the first time. */
  static async open(run: Run, census: Census): Promise<Earlier | null> {
    if (!run.resumed) return null
    const earlier = new Earlier(run, census, await openKnown(`${run.scratch.url}/earlier.db`))
    await earlier.#absorb(`${run.scratch.url}/${leftInventory}`)
    await earlier.#compareWithTarget()
    if (!run.resumed.sameBoot && run.target.patience === undefined) await earlier.#hashAgain()
    return earlier
  }

  /** Takes what need not be copied again out of a listed batch and puts it on record as done; answers the rest. */
  async admit(batch: Batch): Promise<Batch[]> {
    const find = this.#db.prepare('SELECT * FROM known WHERE path = ?')
    const match = this.#db.prepare('UPDATE known SET matched = 1 WHERE path = ?')
    const [rest, done, changed]: [BatchFile[], [BatchFile, Moved][], string[]] = [[], [], []]
    for (const file of unpack(batch)) {
      const known = find.get(file.path) as Known | undefined
      if (known && isSame(file, known)) {
        match.run(file.path)
        done.push([file, movedOf(known)])
      } else {
        if (known) changed.push(file.path)
        rest.push(file)
      }
    }
    if (changed.length > 0) {
      await this.#run.target.remove(changed.map((path) => this.#nameOf(path)))
      for (const path of changed) this.#db.prepare('DELETE FROM known WHERE path = ?').run(path)
    }
    if (done.length > 0) this.#record(done)
    await nextTurn()
    return done.length === 0 ? [batch] : packBatches(rest)
  }

  /** Removes copies of files that the source does not have any more. Call when all of it is listed. */
  async end(): Promise<void> {
    await this.#forget(({ matched }) => matched === 0)
    this.#db.close()
  }

  #record(done: readonly [BatchFile, Moved][]): void {
    const reporter = reportOn()
    let bytes = 0
    for (const [{ path }, moved] of done) {
      reporter.add(path, moved)
      bytes += moved.size
    }
    const batch = pack(done.map(([file]) => file))
    const report = reporter.end(batch, new Uint8Array(done.length).fill(fileStates.done))
    this.#run.inventory.addDone(batch, report)
    this.#census.add(report)
    this.#run.progress.add('files', done.length)
    this.#run.progress.add('bytes', bytes)
    this.#run.progress.add('reusedFiles', report.reusedFiles)
    this.#run.progress.add('reusedBytes', report.reusedBytes)
  }

  /** The lines that threads wrote into the inventory of the interrupted run; that goes last, so that a kill begins it again. */
  async #absorb(file: string): Promise<void> {
    if (!existsSync(file)) return
    const insert = this.#db.prepare(
      'INSERT OR REPLACE INTO known (path, size, mtime, etag, sha256, copy, hashedAt, proof) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    )
    try {
      const left = new Database(file)
      try {
        for (const list of ['files', 'others']) {
          const select = left.prepare(
            `SELECT id, ${list} AS text FROM batches WHERE id > ? AND ${list} <> '' ORDER BY id LIMIT 1`,
          )
          const add = this.#db.transaction((text: string) => {
            for (const entry of entriesOf(text)) {
              const { size_bytes, source_mtime_ns, source_etag = '', sha256 } = entry
              const { copy_etag = '', hashed_at = '', proof = '' } = entry
              const path = list === 'others' ? withoutFolder(entry.path) : entry.path
              insert.run(path, size_bytes, source_mtime_ns, source_etag, sha256, copy_etag, hashed_at, proof)
            }
          })
          type Lines = { id: number; text: string } | undefined
          for (let lines = select.get(0) as Lines; lines; lines = select.get(lines.id) as Lines) {
            add(lines.text)
            await nextTurn()
          }
        }
      } finally {
        left.close()
      }
    } catch (error) {
      // A power cut can leave a list that can't be read: it was never synced. What is not known is copied again.
      this.#run.log.warn({ err: error }, 'the list of what was copied can not be read')
    }
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
  }

  async #compareWithTarget(): Promise<void> {
    const { target, backupId } = this.#run
    const find = this.#db.prepare('UPDATE known SET present = 1 WHERE path = ? AND size = ?')
    let leftovers: string[] = []
    let seen = 0
    for await (const { path, size } of target.list(backupId)) {
      this.#run.progress.check()
      seen += 1
      if (seen % perPage === 0) await nextTurn()
      if (path === `${backupId}/${backupPaths.marker}`) continue
      const name = path.slice(this.#nameOf('').length)
      if (path.startsWith(this.#nameOf('')) && find.run(name, size).changes === 1) continue
      leftovers.push(path)
      if (leftovers.length < perPage) continue
      await target.remove(leftovers)
      leftovers = []
    }
    if (leftovers.length > 0) await target.remove(leftovers)
    await this.#drop(({ present }) => present === 0)
  }

  async #hashAgain(): Promise<void> {
    const { pool, targetStore, log } = this.#run
    let damaged = 0
    await runLanes(pool.workers * 2, pagesOf(this.#db), async (page) => {
      this.#run.progress.check()
      const batch = pack(page.map(({ path, size, sha256 }) => ({ path, size, mtimeNs: 0n, sha256 })))
      const task = { kind: 'prove', from: targetStore, fromPrefix: this.#nameOf(''), transfers: 1, batch } as const
      const { failures, fatal } = await pool.transfer({ ...task, progress: this.#run.progress.buffer })
      if (fatal) throw fromFailure(fatal)
      const mark = this.#db.prepare('UPDATE known SET present = 0 WHERE path = ?')
      for (const { index } of failures) mark.run(page[index]?.path)
      damaged += failures.length
    })
    if (damaged > 0) log.warn({ files: damaged }, 'copies did not survive the power cut: they are made again')
    await this.#forget(({ present }) => present === 0)
  }

  /** Removes copies, and what is known of them. */
  async #forget(condition: (known: Known) => boolean): Promise<void> {
    await this.#drop(condition, (paths) => this.#run.target.remove(paths.map((path) => this.#nameOf(path))))
  }

  async #drop(condition: (known: Known) => boolean, before?: (paths: string[]) => Promise<void>): Promise<void> {
    const drop = this.#db.prepare('DELETE FROM known WHERE path = ?')
    const dropAll = this.#db.transaction((paths: string[]) => {
      for (const path of paths) drop.run(path)
    })
    for (const page of pagesOf(this.#db)) {
      const paths = page.filter(condition).map(({ path }) => path)
      if (paths.length > 0) {
        await before?.(paths)
        dropAll(paths)
      }
      await nextTurn()
    }
  }

  #nameOf(path: string): string {
    return `${this.#run.backupId}/${backupPaths.data}${path}`
  }
}

/** An operation's list of files, in its folder. */
export const inventoryFile = 'inventory.db'
/** The inventory of the run that was interrupted, put aside under this name before a new one is made. */
export const leftInventory = 'left-inventory.db'

async function openKnown(file: string): Promise<Database.Database> {
  try {
    return await createKnown(file)
  } catch {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
    return createKnown(file)
  }
}

async function createKnown(file: string): Promise<Database.Database> {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = OFF')
  db.exec(`
    CREATE TABLE IF NOT EXISTS known (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime TEXT NOT NULL, etag TEXT NOT NULL, sha256 TEXT NOT NULL,
      copy TEXT NOT NULL, hashedAt TEXT NOT NULL, proof TEXT NOT NULL,
      present INTEGER NOT NULL DEFAULT 0, matched INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID`)
  const reset = db.prepare('UPDATE known SET present = 0, matched = 0 WHERE path >= ? AND path <= ?')
  for (const page of pagesOf(db)) {
    reset.run(page[0]?.path, page.at(-1)?.path)
    await nextTurn()
  }
  return db
}

function* pagesOf(db: Database.Database): Generator<Known[], void, undefined> {
  const select = db.prepare('SELECT * FROM known WHERE path > ? ORDER BY path LIMIT ?')
  for (let last = ''; ; ) {
    const page = select.all(last, perPage) as Known[]
    if (page.length === 0) return
    yield page
    last = page.at(-1)?.path ?? last
  }
}

function entriesOf(lines: string): Entry[] {
  return JSON.parse(`[${lines}]`) as Entry[]
}

/** Entries of other files than data have their path inside the backup. */
function withoutFolder(path: string): string {
  return path.startsWith(backupPaths.data) ? path.slice(backupPaths.data.length) : path
}

/** A version tag says more than a time, which object stores know to the second only. */
function isSame(file: BatchFile, known: Known): boolean {
  if (file.size !== known.size) return false
  return known.etag === '' ? String(file.mtimeNs) === known.mtime : file.etag === known.etag
}

function movedOf({ size, sha256, mtime, etag, copy, hashedAt, proof }: Known): Moved {
  return {
    ...{ size, sha256, sourceMtimeNs: BigInt(mtime) },
    ...(etag !== '' && { sourceEtag: etag }),
    ...(copy !== '' && { etag: copy }),
    ...(hashedAt !== '' && { reused: { hashedAt, ...(proof === 'etag' && { proof }) } }),
  }
}

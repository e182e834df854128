import { setImmediate as nextTurn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { isServiceError, toFailure } from '../errors.js'
import { isBackupId, secondOf } from '../format/backup-id.js'
import { backupPaths } from '../format/layout.js'
import { type Manifest, newestFirst } from '../format/manifest.js'
import { findManifest } from './backups.js'
import { type Batch, pathsOf } from './batch.js'
import { type FetchedList, fetchList, partsOf } from './fetched-list.js'
import { runLanes } from './lanes.js'
import type { Reuse } from './reuse.js'
import type { Run } from './run.js'
import type { Runs } from './sidecar-runs.js'
import { mostAllocated, type Need } from './space.js'
import { isSourceFailure } from './transfer.js'

/** Earlier backups that are looked at before it is given up. */
const mostCandidates = 16

/**
 * An earlier backup in the same target whose copies of files that have not changed since are taken over. Its list of files stays on disk: what is kept of it is where in it
 * the files of each folder are, and threads read the rest. Nothing in the new backup refers to it.
 */
export class Basis {
  readonly #run: Run
  readonly #manifest: Manifest
  readonly #list: FetchedList
  readonly #db: Database.Database
  readonly #find: Database.Statement
  readonly #trust: Trust

  private constructor(run: Run, manifest: Manifest, list: FetchedList, trust: Trust, db: Database.Database) {
    this.#run = run
    this.#trust = trust
    this.#manifest = manifest
    this.#list = list
    this.#db = db
    this.#find = db.prepare('SELECT start, end FROM runs WHERE folder = ? AND greatest >= ? AND least <= ?')
  }

  /** Null where no earlier backup can serve. */
  static async open(run: Run, databases: readonly string[] | undefined): Promise<Basis | null> {
    if (!run.target.duplicate) return null
    const trust = await trustIn(run)
    for await (const manifest of candidates(run)) {
      if (!covers(manifest, databases)) continue
      const list = await listOf(run, manifest)
      if (!list) continue
      const basis = new Basis(run, manifest, list, trust, openIndex(`${run.scratch.url}/basis.db`))
      await basis.#index()
      run.log.info({ basis: manifest.backup_id }, 'files that have not changed are taken from an earlier backup')
      return basis
    }
    return null
  }

  /** What a thread needs to take files of this batch from the earlier backup; undefined where it has none of them. */
  reuse(batch: Batch): Reuse | undefined {
    const found = new Map<number, number>()
    for (const { folder, least, greatest } of spansOf(batch)) {
      for (const { start, end } of this.#find.all(folder, least, greatest) as { start: number; end: number }[]) {
        found.set(start, end)
      }
    }
    if (found.size === 0) return undefined
    const { rehashBefore, damage } = this.#trust
    const sorted = [...found].sort(([a], [b]) => a - b)
    return {
      file: this.#list.file,
      starts: Float64Array.from(sorted, ([start]) => start),
      ends: Float64Array.from(sorted, ([, end]) => end),
      prefix: `${this.#manifest.backup_id}/${backupPaths.data}`,
      madeAt: this.#manifest.created_at,
      rehashBefore,
      damage: damage.size === 0 ? damage : new Map(pathsOf(batch).flatMap((path) => pairOf(damage, path))),
    }
  }

  /** The most that files taken over can save. */
  get saving(): Need {
    const { sidecar, total_files: files, total_size_bytes: bytes } = this.#manifest
    return mostAllocated(sidecar?.entries ?? files, bytes)
  }

  close(): void {
    this.#db.close()
  }

  async #index(): Promise<void> {
    const { pool, progress } = this.#run
    const { file, size } = this.#list
    const insert = this.#db.prepare('INSERT INTO runs (folder, least, greatest, start, end) VALUES (?, ?, ?, ?, ?)')
    const add = this.#db.transaction((rows: readonly Row[]) => {
      for (const row of rows) insert.run(...row)
    })
    await runLanes(pool.workers, partsOf(size), async (part) => {
      progress.check()
      const rows = rowsOf(await pool.index({ kind: 'index', file, ...part }))
      for (let from = 0; from < rows.length; from += rowsPerTurn) {
        add(rows.slice(from, from + rowsPerTurn))
        await nextTurn()
      }
    })
  }
}

/** Which of an earlier backup's files are trusted, whichever backup that is. */
type Trust = Pick<Reuse, 'rehashBefore' | 'damage'>

async function trustIn({ settings, knownDamage, log }: Run): Promise<Trust> {
  const rehashBefore = Date.now() - settings.rehashAfterMs
  const { all, files } = await knownDamage(rehashBefore)
  if (all > rehashBefore) {
    log.warn(
      { hashed_before: new Date(all).toISOString() },
      'files of earlier backups are copied again: damage was found that can not be told file by file',
    )
  }
  return { rehashBefore: Math.max(rehashBefore, all), damage: files }
}

function pairOf(damage: Trust['damage'], path: string): [string, number][] {
  const found = damage.get(path)
  return found === undefined ? [] : [[path, found]]
}

/** Newest first. Damaged ones, and those without a list of files whose hash is on record, are left out. */
async function* candidates(run: Run): AsyncGenerator<Manifest, void, undefined> {
  const ids: string[] = []
  for await (const entry of run.target.list('', { depth: 1 })) {
    if (entry.folder && isBackupId(entry.path) && entry.path !== run.backupId) ids.push(entry.path)
  }
  const bySecond = new Map<string, string[]>()
  for (const id of ids.sort().reverse().slice(0, mostCandidates)) {
    const second = secondOf(id)
    bySecond.set(second, [...(bySecond.get(second) ?? []), id])
  }
  for (const sameSecond of bySecond.values()) {
    const found: Manifest[] = []
    for (const id of sameSecond) found.push(...(await candidate(run, id)))
    yield* found.sort(newestFirst)
  }
}

/** None where it can't serve. */
async function candidate(run: Run, id: string): Promise<Manifest[]> {
  try {
    const { manifest, sha256 } = await findManifest(run.target, id)
    return manifest.sidecar && !run.isDamaged(id, sha256) ? [manifest] : []
  } catch (error) {
    // Without it everything is copied: what is wrong with an earlier backup is no reason for this one to fail.
    if (!isServiceError(error, 'NOT_FOUND', 'MANIFEST_INVALID') && !isOfSource(error)) throw error
    return []
  }
}

function covers({ scope }: Manifest, databases: readonly string[] | undefined): boolean {
  return scope.length === 0 || (databases?.every((name) => scope.includes(name)) ?? false)
}

/** Null where it can't be had. */
async function listOf(run: Run, { backup_id: id, sidecar }: Manifest): Promise<FetchedList | null> {
  if (!sidecar) return null
  try {
    return await fetchList(run, id, sidecar.sha256, 'basis')
  } catch (error) {
    if (!isOfSource(error)) throw error
    run.log.warn(
      { err: error, basis: id },
      'no file is taken from an earlier backup: its list of files can not be used',
    )
    return null
  }
}

function isOfSource(error: unknown): boolean {
  return isServiceError(error) && isSourceFailure(toFailure(error))
}

/** Rows put into the index between two turns of the event loop: about 2 ms. */
const rowsPerTurn = 500

type Row = readonly [folder: string, least: string, greatest: string, start: number, end: number]

function rowsOf({ folders, least, greatest, starts, ends }: Runs): Row[] {
  if (starts.length === 0) return []
  const [first, last] = [least.split('\0'), greatest.split('\0')]
  return folders
    .split('\0')
    .map((folder, at): Row => [folder, first[at] ?? '', last[at] ?? '', starts[at] ?? 0, ends[at] ?? 0])
}

/** The folders of a batch, and the least and the greatest name in each. */
function spansOf(batch: Batch): Iterable<{ folder: string; least: string; greatest: string }> {
  const spans = new Map<string, { folder: string; least: string; greatest: string }>()
  for (const path of pathsOf(batch)) {
    const slash = path.lastIndexOf('/') + 1
    const [folder, name] = [path.slice(0, slash), path.slice(slash)]
    const span = spans.get(folder)
    if (!span) spans.set(folder, { folder, least: name, greatest: name })
    else if (name < span.least) span.least = name
    else if (name > span.greatest) span.greatest = name
  }
  return spans.values()
}

function openIndex(file: string): Database.Database {
  const db = new Database(file)
  db.pragma('journal_mode = MEMORY')
  db.pragma('synchronous = OFF')
  db.exec(`
    DROP TABLE IF EXISTS runs;
    CREATE TABLE runs (folder TEXT NOT NULL, least TEXT NOT NULL, greatest TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL);
    CREATE INDEX runs_of_folder ON runs (folder)`)
  return db
}

import Database from 'better-sqlite3'
import { isCompactionOutput } from '../format/compaction-state.js'
import { classify, dataPartitionOf } from '../format/data-path.js'
import type { BatchFile } from './batch.js'
import { looksTheSame } from './left-alone.js'

/** What a restore would do to a live file of the backup's databases. */
export type Fate = 'unchanged' | 'changed'

/** Rows that are looked at in one go: about a millisecond. */
const perPage = 256
const fates: Readonly<Record<Fate, number>> = { unchanged: 1, changed: 2 }
/** What kinds of Parquet files a day partition has, as bits. */
const kinds = { raw: 1, compacted: 2 } as const

/** A live file, and whether the backup has one in its place. */
export interface LiveFile {
  readonly path: string
  readonly size: number
  readonly mtimeNs: bigint
  readonly fate: Fate | null
}

/** The files that lie in Arc's storage now, on disk: no list of files is ever held in memory. What the backup has of them is marked. */
export class LiveFiles {
  readonly #db: Database.Database
  readonly #insert: Database.Statement
  readonly #find: Database.Statement
  readonly #mark: Database.Statement
  readonly #notePartition: Database.Statement

  constructor(file: string) {
    this.#db = new Database(file)
    // It can be made again, and nobody else reads it: in one transaction that never ends only what finds no room in memory is written.
    this.#db.pragma('journal_mode = OFF')
    this.#db.pragma('synchronous = OFF')
    this.#db.pragma('cache_size = -32768')
    // Nanoseconds are more than a double holds.
    this.#db.defaultSafeIntegers(true)
    this.#db.exec(`
      CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL, etag TEXT, fate INTEGER) WITHOUT ROWID;
      CREATE TABLE partitions (path TEXT PRIMARY KEY, restored INTEGER NOT NULL, kept INTEGER NOT NULL) WITHOUT ROWID;
      BEGIN`)
    this.#insert = this.#db.prepare('INSERT OR REPLACE INTO files (path, size, mtime, etag) VALUES (?, ?, ?, ?)')
    this.#find = this.#db.prepare('SELECT size, mtime, etag FROM files WHERE path = ?')
    this.#mark = this.#db.prepare('UPDATE files SET fate = ? WHERE path = ?')
    this.#notePartition = this.#db.prepare(
      `INSERT INTO partitions (path, restored, kept) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET restored = restored | excluded.restored, kept = kept | excluded.kept`,
    )
  }

  add({ path, size, mtimeNs, etag }: BatchFile): void {
    this.#insert.run(path, size, mtimeNs, etag ?? null)
  }

  /** Marks the live file in the place of one of the backup's, and says what becomes of it; null where there is none. */
  meet(file: BatchFile): Fate | null {
    const found = this.#find.get(file.path) as { size: bigint; mtime: bigint; etag: string | null } | undefined
    if (!found) return null
    const { size, mtime: mtimeNs, etag } = found
    const fate = looksTheSame({ size: Number(size), mtimeNs, ...(etag !== null && { etag }) }, file)
      ? 'unchanged'
      : 'changed'
    this.#mark.run(fates[fate], file.path)
    return fate
  }

  /** Is there a live file in its place, of its size? */
  hasSize({ path, size }: Pick<BatchFile, 'path' | 'size'>): boolean {
    const found = this.#find.get(path) as { size: bigint } | undefined
    return found !== undefined && Number(found.size) === size
  }

  /** Notes day partitions that get these files back, or in which these stay. */
  note(paths: readonly string[], as: 'restored' | 'kept'): void {
    const found = new Map<string, number>()
    for (const path of paths) {
      const partition = classify(path) === 'parquet' ? dataPartitionOf(path) : null
      const kind = isCompactionOutput(path) ? kinds.compacted : kinds.raw
      if (partition !== null) found.set(partition, (found.get(partition) ?? 0) | kind)
    }
    for (const [partition, bits] of found) {
      this.#notePartition.run(partition, ...(as === 'restored' ? [bits, 0] : [0, bits]))
    }
  }

  /** All of them in the order of their paths, some at a time. */
  *pages(): Generator<LiveFile[], void, undefined> {
    const select = this.#db.prepare(
      `SELECT path, size, mtime, fate FROM files WHERE path > ? ORDER BY path LIMIT ${perPage}`,
    )
    for (let last = ''; ; ) {
      const rows = select.all(last) as { path: string; size: bigint; mtime: bigint; fate: bigint | null }[]
      const final = rows.at(-1)
      if (!final) return
      last = final.path
      yield rows.map(({ path, size, mtime, fate }) => ({
        path,
        size: Number(size),
        mtimeNs: mtime,
        fate: fate === null ? null : Number(fate) === fates.unchanged ? 'unchanged' : 'changed',
      }))
    }
  }

  /**
   * Partitions with restored files beside kept ones where one side is the other's compacted form, as far as names can tell: their rows may be there twice. Some at a
   * time; a set may be empty.
   */
  *mixedPartitions(): Generator<string[], void, undefined> {
    const select = this.#db.prepare(
      `SELECT path, restored, kept FROM partitions WHERE path > ? ORDER BY path LIMIT ${perPage}`,
    )
    for (let last = ''; ; ) {
      const rows = select.all(last) as { path: string; restored: bigint; kept: bigint }[]
      const final = rows.at(-1)
      if (!final) return
      last = final.path
      const isMixed = (restored: number, kept: number): boolean =>
        restored > 0 && kept > 0 && ((restored | kept) & kinds.compacted) > 0
      yield rows.filter(({ restored, kept }) => isMixed(Number(restored), Number(kept))).map(({ path }) => path)
    }
  }

  close(): void {
    this.#db.close()
  }
}

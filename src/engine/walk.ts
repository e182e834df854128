import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Failure } from '../errors.js'
import { classify, databaseOf, isExcludedFolder } from '../format/data-path.js'
import type { Store } from '../stores/store.js'
import { type Batch, type BatchFile, packBatches } from './batch.js'
import { runLanes } from './lanes.js'
import { PartitionPrints, type PrintRow } from './partition-prints.js'
import type { Pool } from './pool.js'

/** Folders that one task lists: of Arc's hourly ones that is some hundred files. */
const foldersPerTask = 64

/** One level of some folders, listed by a thread. */
export interface ListTask {
  readonly kind: 'list'
  readonly store: string
  readonly folders: readonly string[]
  /** Paths that no backup holds; a folder's ends in no slash. */
  readonly excluded: readonly string[]
  readonly namesOnly: boolean
  /** Only files of these databases. */
  readonly databases?: readonly string[]
  /** Answer what is in the partitions, not the files. */
  readonly printed?: true
  /** Say when the entries of the folders last changed, as of before they are listed. */
  readonly timed?: true
  /** Every file, also one that no backup holds. */
  readonly whatever?: true
}

/** What such a task found. */
export interface ListedLevel {
  /** Files that a backup holds. */
  readonly batches: readonly Batch[]
  readonly folders: readonly string[]
  /** What is in the partitions, where that was asked for: then there are no batches. */
  readonly prints: readonly PrintRow[]
  /** Of the folders that were asked for, where the store can tell. */
  readonly times?: BigInt64Array
}

/** A failure as a value: its class and code would be lost at the thread boundary. */
export type ListOutcome = { readonly level: ListedLevel } | { readonly failure: Failure }

/** The thread's part: lists, and leaves out what no backup holds. */
export async function listLevel(task: ListTask, store: Store): Promise<ListedLevel> {
  const excluded = new Set(task.excluded)
  const exclude = (path: string): boolean => (task.whatever ? excluded.has(path) : isLeftOut(path, excluded))
  const scope = task.databases && new Set(task.databases)
  const isInScope = (path: string): boolean => !scope || scope.has(databaseOf(path))
  const isWanted = (path: string): boolean =>
    task.whatever === true || (classify(path) !== 'excluded' && isInScope(path))
  const files: BatchFile[] = []
  const folders: string[] = []
  const times = task.timed && store.folderTimes?.(task.folders)
  const timed = times ? { times } : {}
  const options = { depth: 1, exclude, ...(task.namesOnly && { namesOnly: true as const }) } as const
  for await (const entry of store.listLevel?.(task.folders, options) ?? store.list(task.folders, options)) {
    if (entry.folder) folders.push(entry.path)
    else if (isWanted(entry.path)) files.push(entry)
  }
  const batches = packBatches(files)
  if (!task.printed) return { batches, folders, prints: [], ...timed }
  const prints = new PartitionPrints()
  for (const batch of batches) prints.add(batch)
  return { batches: [], folders, prints: prints.rows(), ...timed }
}

/** Is this path (a folder's ends in a slash) one that no backup holds? */
export function isLeftOut(path: string, excluded: ReadonlySet<string>): boolean {
  if (path.endsWith('/')) return isExcludedFolder(path) || excluded.has(path.slice(0, -1))
  return excluded.size > 0 && excluded.has(path)
}

/** Who hears what is found. */
export interface Found {
  readonly batch?: (batch: Batch) => Promise<void> | void
  /** Where what is in the partitions is asked for. */
  readonly prints?: (rows: readonly PrintRow[]) => void
  /** Where it is asked when their entries last changed. */
  readonly times?: (folders: readonly string[], times: BigInt64Array) => void
}

/**
 * Walks down from some folders in the threads, several levels at once, and hands on what it finds. The main thread only keeps the folders still to be
 * listed: listing there cost as much as all its other work for a backup of small files.
 */
export async function walk(
  pool: Pool,
  task: Omit<ListTask, 'kind'>,
  { batch: found, prints, times }: Found,
): Promise<void> {
  const waiting = [...task.folders]
  let running = 0
  let wake = (): void => {}
  async function* sets(): AsyncGenerator<string[], void, undefined> {
    while (waiting.length > 0 || running > 0) {
      if (waiting.length > 0) {
        running += 1
        // From the end: deep folders first, so that few wait.
        yield waiting.splice(-foldersPerTask)
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
  await runLanes(pool.workers, sets(), async (folders) => {
    try {
      const level = await pool.list({ ...task, kind: 'list', folders })
      waiting.push(...level.folders)
      for (const batch of level.batches) {
        await found?.(batch)
        // A level of many small folders holds thousands of files: who looks each one up took 20 ms for them.
        await nextTurn()
      }
      prints?.(level.prints)
      if (level.times) times?.(folders, level.times)
    } finally {
      running -= 1
      wake()
    }
  })
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { isServiceError } from '../errors.js'
import { type CompactionJob, isCompactionState, readCompactionState } from '../format/compaction-state.js'
import { retry } from '../stores/retry.js'
import { type BatchFile, packBatches, pathsOf, unpack } from './batch.js'
import type { Census } from './census.js'
import { runLanes } from './lanes.js'
import { walkFolders } from './list-source.js'
import type { Run } from './run.js'
import { withdraw } from './withdraw.js'

const folder = '_compaction_state'
/** Bytes. Arc merges some thirty files at a time: a state file is a few KiB. */
const largestState = 1 << 20
/** State files read at once. */
const readers = 8

/** Arc's compactions under way while a backup is made; it has one for each partition at most, and keeps an abandoned one for some days. */
export class CompactionJobs {
  readonly #seen = new Set<string>()
  readonly #held: Set<string>
  readonly #jobs = new Map<string, CompactionJob>()

  /** @param held state files that the backup has already */
  constructor(held: Set<string>) {
    this.#held = held
  }

  /** Looks for state files that were not there before, notes what they say, and puts into the inventory what the backup lacks. */
  async look(run: Run, databases: readonly string[] | undefined): Promise<void> {
    const found: BatchFile[] = []
    await walkFolders(run, [folder], databases, false, (batch) => {
      found.push(...unpack(batch).filter(({ path }) => !this.#seen.has(path)))
    })
    await runLanes(readers, found, async ({ path, size }) => {
      run.progress.check()
      this.#seen.add(path)
      const job =
        isCompactionState(path) && size <= largestState ? readCompactionState(await readText(run, path)) : null
      if (job) this.#jobs.set(job.output, job)
    })
    for (const batch of packBatches(found.filter(({ path }) => !this.#held.has(path)))) {
      run.inventory.add(batch)
      run.tracker.totalFiles += batch.sizes.length
      for (const size of batch.sizes) run.tracker.totalBytes += size
    }
    for (const { path } of found) this.#held.add(path)
  }

  /**
   * Takes out of the backup what a merged file in it stands for already: Arc deletes these inputs last, so both lie in the storage for a while, for days
   * where Arc died over it. Answers how many.
   */
  async dropConsumed(run: Run, census: Census): Promise<number> {
    if (this.#jobs.size === 0) return 0
    const consumed = new Set<string>()
    for (const batch of run.inventory.batches()) {
      for (const [index, path] of pathsOf(batch).entries()) {
        const job = batch.done[index] === 1 ? this.#jobs.get(path) : undefined
        if (job?.outputSize === batch.sizes[index]) for (const input of job?.inputs ?? []) consumed.add(input)
      }
      await nextTurn()
    }
    if (consumed.size === 0) return 0
    let dropped = 0
    for (const batch of run.inventory.batches()) {
      const out = pathsOf(batch).filter((path, index) => batch.done[index] === 1 && consumed.has(path))
      if (out.length > 0) await withdraw(run, census, batch, new Set(out))
      dropped += out.length
      await nextTurn()
    }
    return dropped
  }
}

/** '' for one that is gone by now, and for one that can't be read: the copying finds that too, and counts a gap. */
async function readText({ storage, progress }: Run, path: string): Promise<string> {
  const once = async (): Promise<string> => {
    const chunks: Buffer[] = []
    for await (const chunk of await storage.read(path)) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  }
  try {
    const { patience } = storage
    const check = (): void => progress.check()
    return await (patience ? retry(once, { timeoutMs: patience.retryTimeoutMs, check }) : once())
  } catch (error) {
    if (isServiceError(error, 'STORE_NOT_FOUND', 'STORE_DENIED', 'STORE_IO', 'ARCHIVED')) return ''
    throw error
  }
}

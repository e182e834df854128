import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { fromFailure } from '../errors.js'
import type { MetadataOutcome, MetadataTask } from '../metadata/task.js'
import type { StoreConfig } from '../stores/open.js'
import type { ChangedOutcome, ChangedTask } from './changed-folders.js'
import type { Limits } from './limits.js'
import type { Selected, SelectOutcome, SelectTask } from './selection.js'
import type { IndexOutcome, IndexTask, Runs } from './sidecar-runs.js'
import type { TransferOutcome, TransferTask } from './transfer.js'
import type { ListedLevel, ListOutcome, ListTask } from './walk.js'

/** Runs tasks elsewhere. The only file that knows that "elsewhere" is threads of this process. */
export interface Pool {
  /** Threads that move files. */
  readonly workers: number
  /** Tasks that wait for a thread. */
  queued(): number
  transfer(task: TransferTask): Promise<TransferOutcome>
  /** @throws what the store failed with */
  list(task: ListTask): Promise<ListedLevel>
  /** @throws what the store failed with */
  changed(task: ChangedTask): Promise<readonly string[]>
  /** @throws MANIFEST_INVALID, PATH_UNSAFE */
  index(task: IndexTask): Promise<Runs>
  /** @throws MANIFEST_INVALID, PATH_UNSAFE */
  select(task: SelectTask): Promise<Selected>
  metadata(task: MetadataTask): Promise<MetadataOutcome>
  /** Ends the threads; tasks still running are cut off. */
  close(): Promise<void>
}

export interface PoolOptions {
  readonly workers: number
  /** Known to the threads by these names. */
  readonly stores: Readonly<Record<string, StoreConfig>>
  /** Path of the entry of the threads that move files; tests have one whose stores fail. */
  readonly entry?: string
  /** Where the threads count what they do with the stores. */
  readonly meters?: SharedArrayBuffer
  /** What they share of the machine; absent: all of it. */
  readonly limits?: Limits
}

/**
 * How far threads that move bytes stand back, in steps of `nice`, for whoever answers: the API's own thread, Arc, a store's server on this machine. On a machine
 * with far more to do than its two cores could, the median `GET /status` took 160 to 210 ms without this and 4 to 45 with it; an idle machine gives the threads all it has.
 */
const stepsBack = 10
/** The same in low priority: as far as it goes. */
const mostStepsBack = 19

/**
 * `atomics: 'disabled'`: otherwise Piscina parks an idle thread, and with it the sockets and timers of the stores' clients.
 * Tasks never carry a `signal`: Piscina aborts by terminating the thread. Cancelling is a cell in the operation's Progress.
 */
export function openPool(options: PoolOptions): Pool {
  const { limits } = options
  const isLow = limits?.data.priority === 'low'
  const files = new Piscina({
    filename: options.entry ?? entry('transfer'),
    minThreads: options.workers,
    maxThreads: options.workers,
    atomics: 'disabled',
    workerData: { stores: options.stores, meters: options.meters, limits: limits?.data },
    // What a thread allocates lives as long as a batch. With V8's own 48 MiB of young space, garbage made up a third of the process.
    resourceLimits: { maxYoungGenerationSizeMb: 6 },
    niceIncrement: isLow ? mostStepsBack : stepsBack,
  })
  const metadata = new Piscina({
    filename: entry('metadata'),
    minThreads: 1,
    maxThreads: 1,
    atomics: 'disabled',
    ...(isLow && { niceIncrement: mostStepsBack }),
  })
  const started = [whenStarted(files), whenStarted(metadata)]
  return {
    workers: options.workers,
    queued: () => files.queueSize + metadata.queueSize,
    transfer: async (task) => {
      try {
        return await files.run(task)
      } catch (error) {
        // Failures of files are outcomes: this one is a thread's.
        limits?.memory.forget()
        throw error
      }
    },
    list: async (task) => {
      const outcome: ListOutcome = await files.run(task)
      if ('level' in outcome) return outcome.level
      throw fromFailure(outcome.failure)
    },
    changed: async (task) => {
      const outcome: ChangedOutcome = await files.run(task)
      if ('changed' in outcome) return outcome.changed
      throw fromFailure(outcome.failure)
    },
    index: async (task) => {
      const outcome: IndexOutcome = await files.run(task)
      if ('runs' in outcome) return outcome.runs
      throw fromFailure(outcome.failure)
    },
    select: async (task) => {
      const outcome: SelectOutcome = await files.run(task)
      if ('failure' in outcome) throw fromFailure(outcome.failure)
      return outcome
    },
    metadata: (task) => metadata.run(task),
    close: async () => {
      await Promise.all(started.map((wait) => wait()))
      await Promise.all([files.destroy(), metadata.destroy()])
    },
  }
}

/**
 * Waits until no thread of a pool loads its code any more. Node 20 ends the whole process when one is terminated there
 * ("IsGraphAsync must be used on an instantiated module", in what it requires of ES modules): of four loops over sixty starts and stops two died.
 * A thread's first message says that it has loaded; Piscina waits for it only with those that take the place of others.
 */
function whenStarted(pool: Piscina): () => Promise<void> {
  const started = new WeakSet<Worker>()
  const first = new Set(pool.threads)
  for (const thread of first) thread.once('message', () => started.add(thread))
  pool.on('workerCreate', ({ id }: { id: number }) => {
    const thread = pool.threads.find(({ threadId }) => threadId === id)
    if (thread && !first.has(thread)) started.add(thread)
  })
  return async () => {
    const loading = pool.threads.filter((thread) => !started.has(thread))
    await Promise.allSettled(
      loading.map((thread) => {
        thread.ref()
        return Promise.race([once(thread, 'message'), once(thread, 'exit')])
      }),
    )
  }
}

function entry(name: string): string {
  return fileURLToPath(import.meta.resolve(`../../workers/${name}.js`))
}

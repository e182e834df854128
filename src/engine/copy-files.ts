import { fromFailure } from '../errors.js'
import type { Copied } from '../stores/store.js'
import type { Basis } from './basis.js'
import { pack } from './batch.js'
import { batchesOf, completeListing, type Listing } from './chunks.js'
import { runLanes } from './lanes.js'
import type { Report } from './report.js'
import type { Run } from './run.js'
import { checkAfter } from './source-root.js'
import type { CopyTask, ProveTask } from './transfer.js'

/** What is the same for all files of one copying. */
export interface CopyPlan extends Omit<CopyTask, 'kind' | 'batch' | 'progress' | 'transfers' | 'uploads' | 'reuse'> {
  readonly basis?: Basis
  readonly onReport?: (report: Report) => void
  /** A batch is written. */
  readonly onBatch?: () => void
}

/** Two tasks a thread: the next one is there when the last one ends, and no more than that waits. */
const lanesPerWorker = 2

/**
 * Copies the batches of the inventory after `after`, as they are listed, through the pool. Files whose source can't be read are recorded as failures; any
 * other failure is thrown once every task under way has ended.
 */
export async function copyFiles(run: Run, listing: Listing, plan: CopyPlan, after = 0): Promise<void> {
  const { onReport, onBatch, basis, ...ways } = plan
  const task = { ...ways, ...networkOf(run), kind: 'copy', progress: run.progress.buffer } as const
  await runLanes(run.pool.workers * lanesPerWorker, batchesOf(run.inventory, listing, after), async (batch) => {
    run.progress.check()
    const { id: _, done: before, ...files } = batch
    // Copied before an interruption.
    if (before.every((flag) => flag !== 0)) return
    const reuse = basis?.reuse(batch)
    const outcome = await run.pool.transfer({ ...task, batch: files, ...(reuse && { reuse }) })
    const { done, failures, fatal, report } = outcome
    run.inventory.record(batch, { done, failures, files: report?.files ?? '', others: report?.others ?? '' })
    if (report) onReport?.(report)
    onBatch?.()
    if (fatal) throw fromFailure(fatal)
    // Each file that is still to come would fail too, and then be taken for one that vanished.
    if (plan.live) await checkAfter(run, failures)
  })
}

/** What only copying over a network needs: several files in flight, and a record of uploads. */
function networkOf(run: Run): Pick<CopyTask, 'transfers' | 'uploads'> {
  const remote = run.storage.patience !== undefined || run.target.patience !== undefined
  return remote ? { transfers: run.settings.transfers, uploads: run.uploads } : {}
}

/** Reads and hashes the batches of the inventory where they are, in the threads; what is missing or damaged is recorded as a failure. */
export async function proveFiles(
  run: Run,
  fromPrefix: string,
  how: Pick<ProveTask, 'counted' | 'parquet'> = {},
): Promise<void> {
  const { transfers } = run.target.patience ? run.settings : { transfers: 1 }
  const ways = { kind: 'prove', from: run.targetStore, fromPrefix, transfers, progress: run.progress.buffer } as const
  await runLanes(run.pool.workers * lanesPerWorker, batchesOf(run.inventory, completeListing()), async (batch) => {
    run.progress.check()
    const { id: _, done: __, ...files } = batch
    const { failures, fatal } = await run.pool.transfer({ ...ways, ...how, batch: files })
    run.inventory.addFailures(batch, failures)
    if (fatal) throw fromFailure(fatal)
  })
}

/** One file that is no data: where it is, where it goes, and what is on record of it. */
export interface SingleCopy {
  readonly from: string
  readonly path: string
  readonly to: string
  readonly target: string
  /** Bytes that it has. A store is asked for a small file in one go. */
  readonly size: number
  readonly sha256?: string
}

/** Copies a single file through the pool. Not among the bytes of the operation: Arc's totals are of data files. */
export async function copySingle(run: Run, { from, path, to, target, size, sha256 }: SingleCopy): Promise<Copied> {
  const slash = path.lastIndexOf('/') + 1
  const name = path.slice(slash)
  const { last, failures, fatal } = await run.pool.transfer({
    kind: 'copy',
    from,
    to,
    fromPrefix: path.slice(0, slash),
    toPrefix: target.slice(0, target.length - name.length),
    batch: pack([
      {
        path: name,
        size,
        mtimeNs: BigInt(Date.now()) * 1_000_000n,
        ...(sha256 !== undefined && { sha256 }),
      },
    ]),
    progress: run.progress.buffer,
    uncounted: true,
    uploads: run.uploads,
    direct: true,
    recorded: true,
  })
  if (last) return last
  throw fromFailure(fatal ?? failures[0]?.failure ?? { code: 'INTERNAL', message: `copying ${path} gave no result` })
}

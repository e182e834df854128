import { fromFailure } from '../errors.js'
import { chunkRows, type Listing } from './chunks.js'
import type { FileOutcome, FileState, InventoryRow } from './inventory.js'
import { runLanes } from './lanes.js'
import { Progress } from './progress.js'
import type { Run } from './run.js'
import { type CopyItem, isSourceFailure, type TransferTask } from './transfer.js'

type CopyTask = Extract<TransferTask, { kind: 'copy' }>

/** What is the same for all files of one copying. */
export interface CopyPlan {
  readonly from: string
  readonly to: string
  readonly item: (row: InventoryRow) => CopyItem
  readonly live?: true
  /** Is nothing visible under the names that are written? See `CopyOptions.direct`. */
  readonly direct: boolean
  readonly owner?: CopyTask['owner']
  /** Called with what became of each file, after it is in the inventory. */
  readonly onOutcome?: (row: InventoryRow, outcome: FileOutcome) => void
}

/** Two tasks a thread: the next one is there when the last one ends, and no more than that waits. */
const lanesPerWorker = 2

/**
 * Copies the rows of the inventory, as they are listed, through the pool. A file whose source can't be read is recorded as `failed`; any other failure
 * is thrown once every task under way has ended.
 */
export async function copyFiles(run: Run, listing: Listing, plan: CopyPlan, state?: FileState): Promise<void> {
  await runLanes(run.pool.workers * lanesPerWorker, chunkRows(run.inventory, listing, state), async (rows) => {
    run.progress.check()
    const results = await run.pool.transfer({
      kind: 'copy',
      from: plan.from,
      to: plan.to,
      items: rows.map(plan.item),
      progress: run.progress.buffer,
      ...(plan.direct && { direct: true }),
      ...(plan.live && { live: plan.live }),
      ...(plan.owner && { owner: plan.owner }),
    })
    const outcomes: FileOutcome[] = []
    let fatal: unknown = null
    for (const [index, result] of results.entries()) {
      const row = rows[index]
      if (!row) break
      if (result.copied) outcomes.push({ id: row.id, state: 'done', copied: result.copied })
      else if (result.failure && isSourceFailure(result.failure))
        outcomes.push({ id: row.id, state: 'failed', failure: result.failure })
      else if (result.failure) fatal = fromFailure(result.failure)
      const outcome = outcomes.at(-1)
      if (outcome && outcome.id === row.id) plan.onOutcome?.(row, outcome)
    }
    run.inventory.record(outcomes)
    if (fatal !== null) throw fatal
  })
}

/** Copies single files from the operation's own folder to their place, and returns what was copied. */
export async function copyScratch(
  run: Run,
  name: string,
  to: { store: string; path: string },
): Promise<{ size: number; sha256: string }> {
  const [result] = await run.pool.transfer({
    kind: 'copy',
    from: 'state',
    to: to.store,
    direct: true,
    items: [{ path: `${run.scratchFolder}/${name}`, to: to.path }],
    // Not among the bytes of the operation: Arc's totals are of data files.
    progress: new Progress().buffer,
  })
  if (result?.copied) return result.copied
  throw fromFailure(result?.failure ?? { code: 'INTERNAL', message: `copying ${name} gave no result` })
}

import { classify, databaseOf, dayPartitionOf } from '../format/data-path.js'
import { filesOf } from './list-source.js'
import type { RestoreRequest } from './operation.js'
import { type Run, storeNames } from './run.js'
import { hiddenName } from './stage-name.js'
import { sampleSize } from './tracker.js'
import type { CopyItem } from './transfer.js'

const filesPerTask = 256
const failuresLookedAt = 10_000

/**
 * Live Parquet files of the restored databases that the backup does not have. They matter: raw files that Arc has compacted since come back beside the
 * compacted output, and every count is doubled. `replace` moves them aside, on record; `merge` leaves them and says where both lie.
 */
export async function settleExtras(
  run: Run,
  mode: RestoreRequest['mode'],
  databases: ReadonlySet<string>,
): Promise<void> {
  const incomplete = new Set(failedPaths(run).map(databaseOf))
  let aside: CopyItem[] = []
  const partitions = new Set<string>()
  for await (const { path } of filesOf(run, [...databases])) {
    if (classify(path) !== 'parquet' || path.startsWith('_schema/') || run.inventory.has(path)) continue
    if (mode === 'replace' && !incomplete.has(databaseOf(path))) {
      aside.push({ path, to: hiddenName(path, run.id, 'replaced') })
      if (aside.length >= filesPerTask) aside = await moveAside(run, aside)
      continue
    }
    const partition = dayPartitionOf(path)
    if (partition && partitions.size < sampleSize && run.inventory.hasBelow(`${partition}/`)) partitions.add(partition)
    update(run, { keptFiles: 1, replacedFiles: 0 }, [...partitions])
  }
  await moveAside(run, aside)
  explain(run, mode, incomplete)
}

/** Bounded: beyond that many failures the restore has failed as a whole, and what it left is for the operator to judge. */
function failedPaths(run: Run): string[] {
  return run.inventory.failures(failuresLookedAt).map(({ path }) => path)
}

async function moveAside(run: Run, items: CopyItem[]): Promise<CopyItem[]> {
  if (items.length === 0) return []
  run.journal.recordMovedAside(
    run.id,
    items.map(({ path, to }) => ({ path, hidden: to })),
  )
  const results = await run.pool.transfer({ kind: 'rename', store: storeNames.storage, items })
  for (const [index, { failure }] of results.entries()) {
    // A file that Arc has deleted meanwhile is out of the way too.
    if (failure && failure.code !== 'STORE_NOT_FOUND')
      run.tracker.warn(`${items[index]?.path} was not moved aside: ${failure.message}`)
    else update(run, { keptFiles: 0, replacedFiles: 1 })
  }
  return []
}

function update(
  run: Run,
  more: { keptFiles: number; replacedFiles: number },
  keptPartitions?: readonly string[],
): void {
  const restore = run.tracker.restore
  if (!restore) return
  run.tracker.restore = {
    ...restore,
    keptFiles: restore.keptFiles + more.keptFiles,
    replacedFiles: restore.replacedFiles + more.replacedFiles,
    ...(keptPartitions && { keptPartitions }),
  }
}

function explain(run: Run, mode: RestoreRequest['mode'], incomplete: ReadonlySet<string>): void {
  const kept = run.tracker.restore?.keptPartitions.length ?? 0
  if (mode === 'merge' && kept > 0) {
    run.tracker.warn(
      'some day partitions now hold restored files beside others (kept_partitions): rows that Arc has compacted since the backup are there twice; `mode: "replace"` moves the others aside',
    )
  }
  if (mode === 'replace' && incomplete.size > 0) {
    run.tracker.warn(
      `nothing was moved aside in ${[...incomplete].join(', ')}, because files of the backup are missing there`,
    )
  }
}

import { classify, databaseOf, dayPartitionOf } from '../format/data-path.js'
import { walkSource } from './list-source.js'
import type { RestoreRequest } from './operation.js'
import { type Run, storeNames } from './run.js'
import { hiddenName } from './stage-name.js'
import { sampleSize } from './tracker.js'
import type { CopyItem } from './transfer.js'

const failuresLookedAt = 10_000

/**
 * Notes live Parquet files of the restored databases that the backup does not have. Before anything is written: what Arc flushes while the restore runs
 * is newer than the backup, and stays.
 */
export async function findExtras(run: Run, databases: ReadonlySet<string>): Promise<void> {
  await walkSource(run, [...databases], true, (files) => {
    run.progress.check()
    const isExtra = (path: string): boolean =>
      !path.startsWith('_') && classify(path) === 'parquet' && !run.inventory.has(path)
    run.inventory.addExtras(files.map(({ path }) => path).filter(isExtra))
  })
}

/**
 * What becomes of the extras, after the switch. They matter: raw files that Arc has compacted since come back beside the compacted output, and every
 * count is doubled. `replace` moves them aside, on record; `merge` leaves them and says where both lie.
 */
export async function settleExtras(run: Run, mode: RestoreRequest['mode']): Promise<void> {
  const incomplete = new Set(failedPaths(run).map(databaseOf))
  const partitions = new Set<string>()
  for (const paths of run.inventory.extras()) {
    const aside = mode === 'replace' ? paths.filter((path) => !incomplete.has(databaseOf(path))) : []
    await moveAside(
      run,
      aside.map((path) => ({ path, to: hiddenName(path, run.id, 'replaced') })),
    )
    const kept = mode === 'replace' ? paths.filter((path) => incomplete.has(databaseOf(path))) : paths
    for (const path of kept) {
      const partition = dayPartitionOf(path)
      if (partition && partitions.size < sampleSize && run.inventory.hasBelow(`${partition}/`))
        partitions.add(partition)
    }
    update(run, { keptFiles: kept.length, replacedFiles: 0 }, [...partitions])
  }
  explain(run, mode, incomplete)
}

/** Bounded: beyond that many failures the restore has failed as a whole, and what it left is for the operator to judge. */
function failedPaths(run: Run): string[] {
  return run.inventory.failures(failuresLookedAt).map(({ path }) => path)
}

async function moveAside(run: Run, items: readonly CopyItem[]): Promise<void> {
  if (items.length === 0) return
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

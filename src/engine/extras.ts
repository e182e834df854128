import { setImmediate as nextTurn } from 'node:timers/promises'
import { fromFailure } from '../errors.js'
import { classify, databaseOf, dayPartitionOf } from '../format/data-path.js'
import { pathsOf } from './batch.js'
import { walkSource } from './list-source.js'
import type { RestoreRequest } from './operation.js'
import { type Run, storeNames } from './run.js'
import { hiddenName } from './stage-name.js'
import { sampleSize } from './tracker.js'

const failuresLookedAt = 10_000

/**
 * Notes live Parquet files of the restored databases that the backup does not have. Before anything is written: what Arc flushes while the restore runs
 * is newer than the backup, and stays.
 */
export async function findExtras(run: Run, databases: ReadonlySet<string>): Promise<void> {
  await walkSource(run, [...databases], true, (batch) => {
    run.progress.check()
    const isExtra = (path: string): boolean =>
      !path.startsWith('_') && classify(path) === 'parquet' && !run.inventory.has(path)
    run.inventory.addExtras(pathsOf(batch).filter(isExtra))
  })
}

/**
 * What becomes of the extras, after the switch. They matter: raw files that Arc has compacted since come back beside the compacted output, and every
 * count is doubled. `replace` moves them aside, on record; `merge` leaves them and says where both lie.
 *
 * @param whole false where nothing may go, because something of the backup is missing
 */
export async function settleExtras(run: Run, mode: RestoreRequest['mode'], whole = true): Promise<void> {
  const incomplete = new Set(failedPaths(run).map(databaseOf))
  const partitions = new Set<string>()
  for (const paths of run.inventory.extras()) {
    const goes = (path: string): boolean => mode === 'replace' && whole && !incomplete.has(databaseOf(path))
    const aside = paths.filter(goes)
    await moveAside(run, aside)
    const kept = paths.filter((path) => !goes(path))
    for (const partition of new Set(kept.map(dayPartitionOf))) {
      if (partitions.size >= sampleSize) break
      if (partition && run.inventory.hasBelow(`${partition}/`)) partitions.add(partition)
    }
    await nextTurn()
    update(run, { keptFiles: kept.length, replacedFiles: 0 }, [...partitions])
  }
  explain(run, mode, whole ? incomplete : ['any database'])
}

/** Bounded: beyond that many failures the restore has failed as a whole, and what it left is for the operator to judge. */
function failedPaths(run: Run): string[] {
  return run.inventory.failures(failuresLookedAt).map(({ path }) => path)
}

async function moveAside(run: Run, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return
  if (!run.storage.rename) return removeForGood(run, paths)
  const hidden = paths.map((path) => ({ path, hidden: hiddenName(path, run.id, 'replaced') }))
  run.journal.recordMovedAside(run.id, hidden)
  const task = { kind: 'rename', store: storeNames.storage, operation: run.id, direction: 'hide' } as const
  const { failures, fatal } = await run.pool.transfer({ ...task, paths: paths.join('\0') })
  if (fatal) throw fromFailure(fatal)
  for (const { index, failure } of failures) {
    // A file that Arc has deleted meanwhile is out of the way too.
    if (failure.code !== 'STORE_NOT_FOUND') run.tracker.warn(`${paths[index]} was not moved aside: ${failure.message}`)
  }
  update(run, { keptFiles: 0, replacedFiles: paths.length - failures.length })
}

/** Object stores have no rename. By now everything else is in place and proven; what goes stays on record with the operation. */
async function removeForGood(run: Run, paths: readonly string[]): Promise<void> {
  run.journal.recordMovedAside(
    run.id,
    paths.map((path) => ({ path, hidden: null })),
  )
  const task = { kind: 'remove', store: storeNames.storage, paths: paths.join('\0') } as const
  const { fatal } = await run.pool.transfer(task)
  if (fatal) throw fromFailure(fatal)
  update(run, { keptFiles: 0, replacedFiles: paths.length })
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

function explain(run: Run, mode: RestoreRequest['mode'], incomplete: Iterable<string>): void {
  const kept = run.tracker.restore?.keptPartitions.length ?? 0
  if (mode === 'merge' && kept > 0) {
    run.tracker.warn(
      'some day partitions now hold restored files beside others (kept_partitions): rows that Arc has compacted since the backup are there twice; `mode: "replace"` moves the others aside',
    )
  }
  const spared = [...incomplete]
  if (mode === 'replace' && spared.length > 0) {
    run.tracker.warn(
      `nothing was ${run.storage.rename ? 'moved aside' : 'removed'} in ${spared.join(', ')}, because files of the backup are missing there`,
    )
  }
}

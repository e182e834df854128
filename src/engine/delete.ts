import { fromFailure, isServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import type { Marker } from '../format/marker.js'
import type { Store } from '../stores/store.js'
import { walkBackup } from './backup-files.js'
import { writeMarker } from './mark.js'
import type { Pool } from './pool.js'
import { type Run, targetStoreName } from './run.js'
import type { Target } from './targets.js'

/**
 * Removes the manifest first, so that a delete that is killed never leaves a listed half backup; once that is durable the backup is deleted, and
 * `removed` resolves when its files are gone too. The marker says before whose the rest is, and goes last: after a kill the sweep finishes it.
 *
 * @throws LOCK_LOST where nothing has been removed yet
 */
export async function deleteBackup(
  target: Target,
  pool: Pool,
  id: string,
  marker: Marker,
  confirmLocks: () => Promise<void>,
): Promise<{ removed: Promise<void> }> {
  const mark = (): Promise<void> => writeMarker(target.store, id, marker)
  const marked = await mark().then(() => true, ignoreFull)
  // Somebody else may restore from it by now.
  await confirmLocks()
  await target.store.remove([`${id}/${backupPaths.manifest}`])
  // A delete is how room is made on a full disk: there the manifest's own room is what the marker gets.
  if (!marked) await mark().catch(ignoreFull)
  await target.store.sync?.({ below: id })
  return { removed: removeFiles(target.store, targetStoreName(target.name), pool, id) }
}

function ignoreFull(error: unknown): false {
  if (!isServiceError(error, 'STORE_FULL')) throw error
  return false
}

/**
 * What there is of a backup that failed or is given up. Its manifest, if it has one after all, goes first here too. In the threads, as a delete: a million files take them 5 s, and a service that is
 * to stop has ten.
 */
export async function removeBackup({ target, targetStore, backupId, pool }: RunOfBackup): Promise<void> {
  await target.remove([`${backupId}/${backupPaths.manifest}`])
  await removeFiles(target, targetStore, pool, backupId)
}

type RunOfBackup = Pick<Run, 'target' | 'targetStore' | 'backupId' | 'pool'>

/** Everything of a backup's folder, the marker last; a tombstone, if there is one, stays. @param pooled the store's name in the pool */
export async function removeFiles(
  store: Store,
  pooled: string,
  pool: Pool,
  id: string,
  tombstone = false,
): Promise<void> {
  const marker = `${id}/${backupPaths.marker}`
  const excluded = [marker, ...(tombstone ? [`${id}/${backupPaths.manifest}`] : [])]
  const folder = { store, storeName: pooled, pool, backupId: id }
  await walkBackup(folder, { excluded, namesOnly: true }, async ({ paths }) => {
    const { fatal } = await pool.transfer({ kind: 'remove', store: pooled, paths })
    if (fatal) throw fromFailure(fatal)
  })
  await store.remove([tombstone ? marker : `${id}/`])
}

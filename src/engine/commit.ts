import { isServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { type Manifest, serializeManifest } from '../format/manifest.js'
import { isWaitedOut } from '../stores/retry.js'
import { regardless } from '../stores/stopping.js'
import { loadManifest } from './backups.js'
import { entomb } from './bury.js'
import { removeBackup, removeFiles } from './delete.js'
import { unmarkBackup } from './mark.js'
import type { Run } from './run.js'
import { writeText } from './write-text.js'

/**
 * Shows a backup: its manifest, by create-if-absent, once everything that it names is durable.
 *
 * @throws what kept the manifest from being written; then nothing stays, and it does not appear later
 */
export function commit(run: Run, manifest: Manifest): Promise<void> {
  return regardless(() => writeManifest(run, manifest))
}

async function writeManifest(run: Run, manifest: Manifest): Promise<void> {
  const { target, backupId } = run
  const text = serializeManifest(manifest)
  try {
    await writeText(target, `${backupId}/${backupPaths.manifest}`, text, { ifAbsent: true })
  } catch (error) {
    // An object store may have done what it gave no answer to, or do it yet. One that was waited for is asked once more, and not waited for: the sweep comes back to it.
    const once = isServiceError(error) && isWaitedOut(error)
    const shown = target.rename ? undefined : await entomb(target, backupId, { once }).catch(() => undefined)
    if (shown?.equals(Buffer.from(text))) return
    await abandon(run, error, shown === null)
    throw error
  }
}

/** The manifest of a backup that was committed before its operation was interrupted. */
export async function findCommitted({ target, backupId }: Pick<Run, 'target' | 'backupId'>): Promise<Manifest | null> {
  try {
    return await loadManifest(target, backupId)
  } catch (error) {
    if (isServiceError(error, 'NOT_FOUND', 'MANIFEST_INVALID')) return null
    throw error
  }
}

/** Ends a backup that was interrupted after its commit: it is whole, whatever has become of its source since. */
export async function endCommitted(run: Run, manifest: Manifest): Promise<'completed' | 'gaps'> {
  const { tracker, progress } = run
  const { total_files, total_size_bytes, skipped_files, skipped_sample, settled_passes } = manifest
  tracker.totalFiles = total_files + skipped_files
  tracker.totalBytes = total_size_bytes
  tracker.totalsKnown = true
  tracker.skippedFiles = skipped_files
  tracker.skippedSample = skipped_sample.map((path) => ({ path, code: 'STORE_IO', message: 'it is not in the backup' }))
  if (settled_passes !== undefined) {
    const { replaced_files = 0, consumed_inputs_skipped = 0 } = manifest
    tracker.settled = { passes: settled_passes, replacedFiles: replaced_files, consumedInputs: consumed_inputs_skipped }
  }
  for (const warning of manifest.warnings) tracker.warn(warning)
  progress.add('files', total_files)
  progress.add('bytes', total_size_bytes)
  progress.add('reusedFiles', manifest.reused_files ?? 0)
  progress.add('reusedBytes', manifest.reused_bytes ?? 0)
  await unmarkBackup(run)
  return skipped_files > 0 ? 'gaps' : 'completed'
}

/**
 * Removes what there is of a backup that failed. Why it failed is what has to be told; that something of it is left comes second. A target that did not answer
 * for so long is not waited for once more: the sweep comes back to it.
 */
export function abandon(run: Run, failure: unknown, tombstone = false): Promise<void> {
  return regardless(() => removeWhatThereIs(run, failure, tombstone))
}

async function removeWhatThereIs(run: Run, failure: unknown, tombstone: boolean): Promise<void> {
  const { target, targetStore, backupId, pool } = run
  try {
    if (isServiceError(failure) && isWaitedOut(failure) && failure.detail.store === target.url) throw failure
    if (tombstone) await removeFiles(target, targetStore, pool, backupId, true)
    else await removeBackup(run)
  } catch (error) {
    run.log.error({ err: error }, 'files of a failed backup could not be removed')
    run.tracker.warn(`files of the failed backup are left in ${target.url}/${backupId}`)
    run.tracker.leftBehind = true
  }
}

import { isServiceError } from '../errors.js'
import { isBackupId } from '../format/backup-id.js'
import type { Store } from '../stores/store.js'
import { writeText } from './write-text.js'

/** Who pinned a backup, and when (RFC 3339). */
export interface Pin {
  readonly by: string
  readonly at: string
}

const [before, after] = ['.arc-backup.pin.', '.json']

/**
 * A pin is a file of its own beside the backup's folder. At the target, not in this service's state: whoever prunes there must see it, on another host or after the
 * state was lost. Beside the folder, not in it: listing the backups, which reads the names at the root of the target, finds all pins without one request more, and
 * nothing changes in a backup that a verify, or Arc, looks at. A pin whose backup is gone does no harm: no other backup ever gets its id.
 */
export function pinPath(backupId: string): string {
  return `${before}${backupId}${after}`
}

/** The backup that the file of this name pins, if it is a pin. */
export function pinnedBy(path: string): string | null {
  if (!path.startsWith(before) || !path.endsWith(after)) return null
  const id = path.slice(before.length, -after.length)
  return isBackupId(id) ? id : null
}

/** @throws the store's failure: a target that can't be written to can't be pruned there either */
export async function writePin(store: Store, backupId: string, pin: Pin): Promise<void> {
  await writeText(store, pinPath(backupId), `${JSON.stringify({ version: 1, backup_id: backupId, ...pin })}\n`)
}

export async function removePin(store: Store, backupId: string): Promise<void> {
  await store.remove([pinPath(backupId)])
}

export async function isPinned(store: Store, backupId: string): Promise<boolean> {
  try {
    await store.stat(pinPath(backupId))
    return true
  } catch (error) {
    if (isServiceError(error, 'STORE_NOT_FOUND')) return false
    throw error
  }
}

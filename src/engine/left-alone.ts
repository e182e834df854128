import { isServiceError, ServiceError } from '../errors.js'
import type { Store, StoredFile } from '../stores/store.js'
import type { BatchFile } from './batch.js'
import type { Limits } from './limits.js'
import type { BatchProgress, Progress } from './progress.js'
import { proveFile } from './prove-file.js'

/** How a live file is compared with what is on record: by every byte, or by size and modification time. */
export type Compare = 'hash' | 'stat'

/**
 * Is the live file what is on record already? Then a restore leaves it alone. Where a store has version tags, one that is still the tag of the version that was backed up
 * says so at once; another says nothing, as whatever is written there gets a new one, also by a restore.
 */
export async function isInPlace(
  live: Store,
  file: BatchFile,
  how: Compare,
  { progress, counted, limits }: { progress: Progress; counted: BatchProgress; limits?: Limits | undefined },
): Promise<boolean> {
  const found = await statOf(live, file.path)
  if (found?.size !== file.size) return false
  if ((found.etag !== undefined || how === 'stat') && looksTheSame(found, file)) {
    counted.addBytes(file.size)
    return true
  }
  if (how === 'stat' || file.sha256 === undefined) return false
  try {
    await proveFile(live, file.path, file, { progress, counted, limits })
    return true
  } catch (error) {
    if (isServiceError(error, 'INTEGRITY', 'SOURCE_CHANGED', 'STORE_NOT_FOUND', 'STORE_DENIED', 'STORE_IO'))
      return false
    throw error
  }
}

/** The same by what a listing tells: version tag where the store has them, else size and modification time. */
export function looksTheSame(found: Pick<StoredFile, 'size' | 'mtimeNs' | 'etag'>, file: BatchFile): boolean {
  if (found.size !== file.size) return false
  return found.etag === undefined ? isSameTime(found.mtimeNs, file.mtimeNs) : found.etag === file.etag
}

/** Node sets times to the microsecond, and rounds: what a restore wrote a moment ago is less than two away from what is on record. */
function isSameTime(a: bigint, b: bigint): boolean {
  const apart = a > b ? a - b : b - a
  return apart < 2000n
}

/** Before a restore ends: is what it had left alone still there? @throws SOURCE_CHANGED */
export async function confirmInPlace(live: Store, file: BatchFile): Promise<void> {
  const found = await statOf(live, file.path)
  if (found?.size === file.size) return
  const message = `${live.url}/${file.path} was as it should be and has changed since`
  throw new ServiceError('SOURCE_CHANGED', message, { verb: 'read', path: file.path })
}

async function statOf(live: Store, path: string): Promise<StoredFile | null> {
  try {
    return await live.stat(path)
  } catch (error) {
    if (isServiceError(error) && !error.retry) return null
    throw error
  }
}

import { statSync } from 'node:fs'
import { type Failure, ServiceError } from '../errors.js'
import type { Run } from './run.js'

/** The file system that holds Arc's files, where they are on this machine and there to be looked at. */
export function sourceDevice(storagePath: string | null): bigint | null {
  if (storagePath === null) return null
  try {
    return statSync(storagePath, { bigint: true }).dev
  } catch {
    return null
  }
}

/**
 * A source that is gone as a whole looks like one with many vanished folders and files, and so does what lies below a file system that was unmounted: an
 * empty folder, or whatever was written there while nothing was mounted.
 *
 * @throws STORE_NOT_FOUND, and what listing the root gives
 */
export async function checkSource(run: Run): Promise<void> {
  const { storage, sourceDevice: before, settings, tracker } = run
  const isEmpty = await isWithoutEntries(run)
  const now = sourceDevice(settings.storagePath)
  if (before !== null && now !== null && now !== before)
    throw gone(`${storage.url}: it lies on another file system now, as if it had been unmounted`)
  if (!isEmpty || tracker.totalFiles === 0) return
  throw gone(`${storage.url}: it is empty now and had ${tracker.totalFiles} files when it was listed`)
}

/** After failures of single files: may they be those of the whole? Only a folder has a look; a store of objects says by itself that its bucket is gone. */
export async function checkAfter(run: Run, failures: readonly { readonly failure: Failure }[]): Promise<void> {
  const isTelling = ({ failure: { code } }: { failure: Failure }): boolean =>
    code === 'STORE_NOT_FOUND' || code === 'STORE_IO'
  if (run.storage.listLevel && failures.some(isTelling)) await checkSource(run)
}

async function isWithoutEntries({ storage }: Run): Promise<boolean> {
  for await (const _ of storage.list('', { depth: 1 })) return false
  return true
}

function gone(why: string): ServiceError {
  return new ServiceError('STORE_NOT_FOUND', `cannot read ${why}`)
}

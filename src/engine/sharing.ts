import { isServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { pathsOf } from './batch.js'
import { excludeFrom } from './list-source.js'
import type { Owner } from './precheck.js'
import type { Run } from './run.js'
import { hiddenName } from './stage-name.js'

// Where storage and target are on one file system that shares blocks between files, a copy takes neither time nor room to write. One file of each operation is tried; the
// threads try the others only where that one could be had.

/** For a backup: can copies share the blocks of Arc's files? */
export async function backupShares(run: Run): Promise<boolean> {
  const { storage, target, backupId } = run
  if (!target.sharesBlocks || storage.patience) return false
  const path = await firstFile(run, '')
  return path !== null && target.sharesBlocks(storage, path, `${backupId}/${backupPaths.data}.${run.id}.part`)
}

/** Folder by folder: a listing of everything is under way as it is, in the threads, and took this one 50 ms of the main thread before it named a file. */
async function firstFile(run: Run, folder: string): Promise<string | null> {
  try {
    const options = { depth: 1, namesOnly: true, exclude: excludeFrom(run.settings) } as const
    for await (const { path, folder: isFolder } of run.storage.list(folder, options)) {
      const found = isFolder ? await firstFile(run, path) : path
      if (found !== null) return found
    }
  } catch (error) {
    // The listing tells it.
    if (!isServiceError(error)) throw error
  }
  return null
}

/** For a restore, once its list is read: can live files share the blocks of the backup's? */
export async function restoreShares(run: Run, owner: Owner | undefined): Promise<boolean> {
  const { storage, target, inventory } = run
  const first = inventory.next(0)
  if (!storage.sharesBlocks || target.patience || !first) return false
  for (const path of pathsOf(first).slice(0, mostTried)) {
    const spare = hiddenName(path, run.id, 'part')
    const from = `${run.backupId}/${backupPaths.data}${path}`
    if (await storage.sharesBlocks(target, from, spare, owner && { owner })) return true
  }
  return false
}

/** The first ones may be missing in a damaged backup. */
const mostTried = 8

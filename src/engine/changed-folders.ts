import type { Failure } from '../errors.js'
import { dataPartitionOf } from '../format/data-path.js'
import type { Store } from '../stores/store.js'
import type { TimedFolders } from './inventory.js'
import { runLanes } from './lanes.js'
import { type Run, storeNames } from './run.js'

/** Have the entries of these folders changed since? */
export interface ChangedTask extends TimedFolders {
  readonly kind: 'changed'
  readonly store: string
}

/** A failure as a value: its class and code would be lost at the thread boundary. */
export type ChangedOutcome = { readonly changed: readonly string[] } | { readonly failure: Failure }

/** The thread's part: those whose entries have changed, or may have. */
export function findChanged({ paths, times }: TimedFolders, store: Store): string[] {
  const folders = paths.split('\0')
  const now = store.folderTimes?.(folders)
  return folders.filter((_, index) => !now || now[index] !== times[index] || times[index] === -1n)
}

/**
 * The smallest set of folders below which every file lies that came, went or was replaced since the source was listed, as far as folders show it: a day partition where it is
 * one partition's, else the folder itself, with all that is below it: what is new in it may be a folder of any number of files.
 *
 * @param more belongs to it too
 * @returns undefined where the storage can't tell
 */
export async function changedSince(run: Run, more: ReadonlySet<string>): Promise<Set<string> | undefined> {
  const changed = new Set(more)
  let known = false
  await runLanes(run.pool.workers, run.inventory.folders(), async (folders) => {
    run.progress.check()
    known = true
    const found = await run.pool.changed({ ...folders, kind: 'changed', store: storeNames.storage })
    // In the place of any file in it.
    for (const folder of found) changed.add(dataPartitionOf(`${folder}/*`) ?? folder)
  })
  if (!known) return undefined
  return new Set([...changed].filter((folder) => !isBelow(parentOf(folder), changed)))
}

/** Is this one of the folders, or below one of them? */
export function isBelow(folder: string | null, folders: ReadonlySet<string>): boolean {
  for (let above = folder; above !== null; above = parentOf(above)) if (folders.has(above)) return true
  return false
}

/** Null for the root, which is ''. */
function parentOf(folder: string): string | null {
  return folder === '' ? null : folder.slice(0, Math.max(0, folder.lastIndexOf('/')))
}

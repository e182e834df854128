import type { Store } from '../stores/store.js'
import { type Batch, type BatchFile, packBatches } from './batch.js'
import { runLanes } from './lanes.js'
import type { Pool } from './pool.js'
import { walk } from './walk.js'

/** Listed objects that are kept before they are passed on. */
const filesPerPage = 512

export interface BackupFolder {
  readonly store: Store
  /** Name of the store in the pool. */
  readonly storeName: string
  readonly pool: Pool
  readonly backupId: string
}

/**
 * Every file of a backup's folder, whatever it is, in batches; paths are those of the store. On a disk the threads list it: on the main thread that took
 * three times as long, and left 100 MiB of garbage behind.
 *
 * @param found is called for several batches at once
 */
export async function walkBackup(
  { store, storeName, pool, backupId }: BackupFolder,
  { excluded = [], namesOnly = false }: { excluded?: readonly string[]; namesOnly?: boolean },
  found: (batch: Batch) => Promise<void> | void,
): Promise<void> {
  if (store.listLevel) {
    const task = { store: storeName, folders: [backupId], excluded, namesOnly, whatever: true } as const
    return walk(pool, task, { batch: found })
  }
  const exclude = (path: string): boolean => excluded.includes(path)
  const listed = store.list(backupId, { exclude, ...(namesOnly && { namesOnly: true as const }) })
  await runLanes(pool.workers * 2, pagesOf(listed), async (files) => {
    for (const batch of packBatches(files)) await found(batch)
  })
}

async function* pagesOf(listed: AsyncIterable<BatchFile>): AsyncGenerator<BatchFile[], void, undefined> {
  let files: BatchFile[] = []
  for await (const file of listed) {
    files.push(file)
    if (files.length < filesPerPage) continue
    yield files
    files = []
  }
  if (files.length > 0) yield files
}

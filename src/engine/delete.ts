import { fromFailure } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import type { Store } from '../stores/store.js'
import { runLanes } from './lanes.js'
import type { Pool } from './pool.js'
import { storeNames } from './run.js'

const pathsPerTask = 512

/**
 * Removes the manifest first, so that a delete that is killed never leaves a listed half backup; once that is durable the backup is deleted, and
 * `removed` becomes true when its files are gone too.
 */
export async function deleteBackup(target: Store, pool: Pool, id: string): Promise<{ removed: Promise<void> }> {
  await target.remove([`${id}/${backupPaths.manifest}`])
  await target.sync?.()
  return { removed: removeFiles(target, pool, id) }
}

async function removeFiles(target: Store, pool: Pool, id: string): Promise<void> {
  await runLanes(pool.workers * 2, pathsOf(target, id), async (paths) => {
    const { fatal } = await pool.transfer({ kind: 'remove', store: storeNames.target, paths: paths.join('\0') })
    if (fatal) throw fromFailure(fatal)
  })
  await target.remove([`${id}/`])
}

async function* pathsOf(target: Store, id: string): AsyncGenerator<string[], void, undefined> {
  let paths: string[] = []
  for await (const { path } of target.list(id, { namesOnly: true })) {
    paths.push(path)
    if (paths.length < pathsPerTask) continue
    yield paths
    paths = []
  }
  if (paths.length > 0) yield paths
}

import { fromFailure } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { runLanes } from './lanes.js'
import type { Pool } from './pool.js'
import { targetStoreName } from './run.js'
import type { Target } from './targets.js'

const pathsPerTask = 512

/**
 * Removes the manifest first, so that a delete that is killed never leaves a listed half backup; once that is durable the backup is deleted, and
 * `removed` becomes true when its files are gone too.
 */
export async function deleteBackup(target: Target, pool: Pool, id: string): Promise<{ removed: Promise<void> }> {
  await target.store.remove([`${id}/${backupPaths.manifest}`])
  await target.store.sync?.()
  return { removed: removeFiles(target, pool, id) }
}

async function removeFiles(target: Target, pool: Pool, id: string): Promise<void> {
  await runLanes(pool.workers * 2, pathsOf(target, id), async (paths) => {
    const { fatal } = await pool.transfer({
      kind: 'remove',
      store: targetStoreName(target.name),
      paths: paths.join('\0'),
    })
    if (fatal) throw fromFailure(fatal)
  })
  await target.store.remove([`${id}/`])
}

async function* pathsOf({ store }: Target, id: string): AsyncGenerator<string[], void, undefined> {
  let paths: string[] = []
  for await (const { path } of store.list(id, { namesOnly: true })) {
    paths.push(path)
    if (paths.length < pathsPerTask) continue
    yield paths
    paths = []
  }
  if (paths.length > 0) yield paths
}

import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fromFailure, ServiceError, systemCode } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { LocalStore } from '../stores/local.js'
import type { Batch } from './batch.js'
import type { StagedPart } from './install.js'
import type { RestoreRequest } from './operation.js'
import { type Run, storeNames } from './run.js'
import { allocated, checkSpace } from './space.js'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * Who is to own restored files: Arc must be able to read and delete them. As root, the owner of the storage root; otherwise that owner must be us.
 *
 * @returns undefined where new files belong to the right owner by themselves.
 */
export async function checkOwner(run: Run): Promise<Owner | undefined> {
  if (run.settings.storagePath === null) return undefined
  const owner = await ownerOf(run.settings.storagePath)
  const uid = process.geteuid?.()
  if (uid === 0) return owner.uid === 0 && owner.gid === process.getegid?.() ? undefined : owner
  if (uid === owner.uid) return undefined
  throw new ServiceError(
    'STORE_DENIED',
    `cannot restore to ${run.storage.url}: it belongs to user ${owner.uid} and this service runs as user ${uid}; run it as that user or as root`,
  )
}

async function ownerOf(folder: string): Promise<Owner> {
  try {
    const { uid, gid } = await stat(folder)
    return { uid, gid }
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && dirname(folder) !== folder) return ownerOf(dirname(folder))
    throw error
  }
}

/**
 * Looks at every file before the first one is written: names in a backup are untrusted. A link, a device or a folder that leads out of its root refuses the
 * whole restore; a file that is merely missing does not. Runs in the threads while the list is still being read.
 */
export class Inspection {
  readonly #run: Run
  readonly #tasks = new Set<Promise<void>>()
  #refused: unknown = null

  constructor(run: Run) {
    this.#run = run
  }

  /** Resolves when there is room for more. */
  async add(batch: Batch): Promise<void> {
    const task = this.#inspect(batch)
      .catch((error: unknown) => {
        this.#refused ??= error
      })
      .finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
    if (this.#tasks.size >= this.#run.pool.workers * 2) await Promise.race(this.#tasks)
  }

  /** @throws PATH_UNSAFE */
  async finish(): Promise<void> {
    await Promise.all(this.#tasks)
    if (this.#refused !== null) throw this.#refused
  }

  async #inspect(batch: Batch): Promise<void> {
    const { id, backupId, pool, progress, targetStore } = this.#run
    const { failures, fatal } = await pool.transfer({
      kind: 'inspect',
      operation: id,
      from: targetStore,
      to: storeNames.storage,
      fromPrefix: `${backupId}/${backupPaths.data}`,
      toPrefix: '',
      batch,
      progress: progress.buffer,
    })
    // What is missing, or can't be held here, is a gap of this one file.
    const gaps = ['STORE_NOT_FOUND', 'PATH_INVALID']
    const refused = fatal ?? failures.find(({ failure }) => !gaps.includes(failure.code))?.failure
    if (refused) throw fromFailure(refused)
  }
}

/**
 * Before the first live file changes: do databases and configuration find room beside their old state, which is kept? A database gets its pages through its WAL.
 *
 * @throws STORE_FULL
 */
export async function checkRoomForParts(parts: readonly StagedPart[]): Promise<void> {
  for (const { from, to } of parts) {
    const [fresh, live] = await Promise.all([sizeOf(from), sizeOf(to)])
    const bytes = allocated(fresh) + allocated(live)
    await checkSpace(new LocalStore(dirname(to)), { bytes, files: 2 }, `, for ${to} and its old state`)
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0
    throw error
  }
}

/** Object stores have no rename: there each file is put in its place as a whole, once its hash is known to be right. */
export function stagingOf(run: Run, request: RestoreRequest): RestoreRequest['staging'] {
  return run.storage.rename ? request.staging : 'file'
}

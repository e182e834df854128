import { isAbsolute, relative } from 'node:path'
import { isServiceError, ServiceError } from '../errors.js'
import { classify, databaseOf, isExcludedFolder } from '../format/data-path.js'
import type { ListOptions, Store, StoredFile } from '../stores/store.js'
import type { Listing } from './chunks.js'
import type { ListedFile } from './inventory.js'
import type { Run } from './run.js'

const batchSize = 256
/** How often the space at the destination is compared with what is listed so far, in files. */
const filesPerSpaceCheck = 4096
/** Space that is left alone for the sidecar, the manifest and `arc.db`, in bytes. */
const reserve = 16 << 20

/** Lists what a backup is to hold into the inventory, ahead of the copying. Ends `listing` in any case, with the failure if there is one. */
export async function listSource(run: Run, listing: Listing, databases: readonly string[] | undefined): Promise<void> {
  try {
    let batch: ListedFile[] = []
    let listed = 0
    const flush = (): void => {
      run.inventory.add(batch)
      for (const file of batch) run.tracker.totalBytes += file.size
      run.tracker.totalFiles += batch.length
      batch = []
      listing.advance()
    }
    for await (const { path, size, mtimeNs } of filesOf(run, databases)) {
      const kind = classify(path)
      if (kind === 'excluded') continue
      batch.push({ path, kind, size, mtimeNs, sha256: null })
      listed += 1
      if (batch.length < batchSize) continue
      flush()
      run.progress.check()
      if (listed % filesPerSpaceCheck < batchSize) await checkSpace(run)
    }
    flush()
    await checkSpace(run)
    run.tracker.totalsKnown = true
    listing.finish()
  } catch (error) {
    listing.finish(error)
  }
}

/** Live files that a backup holds, or those of some databases. */
export async function* filesOf(
  run: Run,
  databases: readonly string[] | undefined,
  namesOnly = false,
): AsyncGenerator<StoredFile, void, undefined> {
  const options: ListOptions = { exclude: excludeFrom(run.settings), ...(namesOnly && { namesOnly }) }
  if (databases === undefined) {
    yield* run.storage.list('', options)
    return
  }
  const wanted = new Set(databases)
  for (const database of databases) yield* listIfThere(run.storage, database, options)
  for (const shared of ['_schema', '_compaction_state']) {
    for await (const file of listIfThere(run.storage, shared, options)) {
      if (wanted.has(databaseOf(file.path))) yield file
    }
  }
}

async function* listIfThere(
  store: Store,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<StoredFile, void, undefined> {
  try {
    yield* store.list(prefix, options)
  } catch (error) {
    if (!isServiceError(error, 'STORE_NOT_FOUND')) throw error
  }
}

/** Names of the databases that lie in the storage now. */
export async function knownDatabases(
  storage: Store,
  settings: { storagePath: string; excluded: readonly string[] },
): Promise<string[]> {
  const found: string[] = []
  const exclude = excludeFrom(settings)
  for await (const entry of storage.list('', { depth: 1, exclude })) {
    if (entry.folder && !entry.path.startsWith('_')) found.push(entry.path)
  }
  return found
}

/** What is never listed: Arc's temporary names, and the folders of Arc and of ours that lie inside the storage root. */
export function excludeFrom(settings: { storagePath: string; excluded: readonly string[] }): (path: string) => boolean {
  const inside = new Set<string>()
  for (const path of settings.excluded) {
    const name = relative(settings.storagePath, path)
    if (name !== '' && !name.startsWith('..') && !isAbsolute(name)) inside.add(name)
  }
  return (path) =>
    path.endsWith('/') ? isExcludedFolder(path) || inside.has(path.slice(0, -1)) : inside.size > 0 && inside.has(path)
}

async function checkSpace(run: Run): Promise<void> {
  const space = await run.target.space?.()
  if (!space) return
  const [bytes, files] = [
    run.tracker.totalBytes - run.progress.read('bytes'),
    run.tracker.totalFiles - run.progress.read('files'),
  ]
  if (bytes + reserve <= space.bytes && files <= space.files) return
  const lacking = bytes + reserve > space.bytes ? `${bytes + reserve} bytes` : `${files} files (inodes)`
  const free = bytes + reserve > space.bytes ? `${space.bytes} bytes` : `${space.files}`
  throw new ServiceError(
    'STORE_FULL',
    `not enough space at ${run.target.url}: at least ${lacking} more are needed, ${free} are free`,
    {
      verb: 'write',
      needed: bytes,
      free: space.bytes,
    },
  )
}

import { isAbsolute, relative } from 'node:path'
import { isServiceError } from '../errors.js'
import { classify, databaseOf } from '../format/data-path.js'
import type { Store } from '../stores/store.js'
import { type Batch, type BatchFile, packBatches } from './batch.js'
import type { Listing } from './chunks.js'
import { PartitionPrints } from './partition-prints.js'
import { type Run, storeNames } from './run.js'
import { allocated, checkSpace, type Need } from './space.js'
import { type Found, isLeftOut, type ListTask, walk } from './walk.js'

/** How often the space at the destination is compared with what is listed so far, in files. */
const filesPerSpaceCheck = 4096
/** Listed objects that are kept before they are passed on. */
const filesPerPage = 1000
/** Space that is left alone for the sidecar, the manifest and `arc.db`, in bytes. */
const reserve = 16 << 20

/**
 * Lists what a backup is to hold into the inventory, ahead of the copying. Ends `listing` in any case, with the failure if there is one.
 *
 * @param admit takes out of a batch what need not be copied
 * @param spared what will take no room
 */
export async function listSource(
  run: Run,
  listing: Listing,
  databases: readonly string[] | undefined,
  admit: ((batch: Batch) => Promise<Batch[]>) | null = null,
  spared: Promise<Need> = Promise.resolve({ bytes: 0, files: 0 }),
): Promise<void> {
  try {
    let checkedAt = 0
    let needed = 0
    const noteTimes = (folders: readonly string[], times: BigInt64Array): void =>
      run.inventory.addFolders({ paths: folders.join('\0'), times })
    const take = async (batch: Batch): Promise<void> => {
      for (const fresh of admit ? await admit(batch) : [batch]) run.inventory.add(fresh)
      for (const size of batch.sizes) {
        run.tracker.totalBytes += size
        needed += allocated(size)
      }
      run.tracker.totalFiles += batch.sizes.length
      listing.advance()
      run.progress.check()
      if (run.tracker.totalFiles - checkedAt < filesPerSpaceCheck) return
      checkedAt = run.tracker.totalFiles
      await checkRoom(run, needed, await spared)
    }
    await walkSource(run, databases, false, take, noteTimes)
    await checkRoom(run, needed, await spared)
    run.tracker.totalsKnown = true
    listing.finish()
  } catch (error) {
    listing.finish(error)
  }
}

/**
 * Live files that a backup holds, or those of some databases, in batches.
 *
 * @throws STORE_NOT_FOUND where there is no storage root
 */
export async function walkSource(
  run: Run,
  databases: readonly string[] | undefined,
  namesOnly: boolean,
  found: (batch: Batch) => Promise<void> | void,
  times?: Found['times'],
): Promise<void> {
  if (run.storage.listLevel && databases === undefined) for await (const _ of run.storage.list('', { depth: 1 })) break
  await walkFolders(run, foldersOf(databases), databases, namesOnly, found, times)
}

/**
 * What is in the partitions of the same files, or of those below some folders; on a file system the threads make that of what they list.
 *
 * @param folders only where the storage has such
 */
export async function printSource(
  run: Run,
  databases: readonly string[] | undefined,
  folders: readonly string[] = foldersOf(databases),
): Promise<PartitionPrints> {
  const all = new PartitionPrints()
  if (!run.storage.listLevel) {
    await walkSource(run, databases, false, (batch) => {
      run.progress.check()
      all.add(batch)
    })
    return all
  }
  await walk(
    run.pool,
    { ...walkOf(run, folders, databases), printed: true },
    {
      prints: (rows) => {
        run.progress.check()
        all.merge(rows)
      },
    },
  )
  return all
}

function foldersOf(databases: readonly string[] | undefined): string[] {
  return databases === undefined ? [''] : [...databases, '_schema', '_compaction_state']
}

function walkOf(
  run: Run,
  folders: readonly string[],
  databases: readonly string[] | undefined,
): Omit<ListTask, 'kind'> {
  const excluded = [...excludedInside(run.settings)]
  return { store: storeNames.storage, excluded, namesOnly: false, folders, ...(databases && { databases }) }
}

/** The same below some folders of the storage; one that is not there has no files. */
export async function walkFolders(
  run: Run,
  folders: readonly string[],
  databases: readonly string[] | undefined,
  namesOnly: boolean,
  found: (batch: Batch) => Promise<void> | void,
  times?: Found['times'],
): Promise<void> {
  if (!run.storage.listLevel) return walkObjects(run, folders, databases, namesOnly, found)
  const timed = times && ({ timed: true } as const)
  await walk(
    run.pool,
    { ...walkOf(run, folders, databases), namesOnly, ...timed },
    { batch: found, ...(times && { times }) },
  )
}

/** Where a listing comes in pages and there are no folders to walk, there is nothing for several threads to share. */
async function walkObjects(
  run: Run,
  folders: readonly string[],
  databases: readonly string[] | undefined,
  namesOnly: boolean,
  found: (batch: Batch) => Promise<void> | void,
): Promise<void> {
  const scope = databases && new Set(databases)
  const options = { exclude: excludeFrom(run.settings), ...(namesOnly && { namesOnly: true as const }) }
  let files: BatchFile[] = []
  try {
    for await (const file of run.storage.list(folders, options)) {
      if (classify(file.path) === 'excluded' || (scope && !scope.has(databaseOf(file.path)))) continue
      files.push(file)
      if (files.length < filesPerPage) continue
      for (const batch of packBatches(files)) await found(batch)
      files = []
    }
  } catch (error) {
    // Only of a single folder does a store say that it is not there.
    if (!isServiceError(error, 'STORE_NOT_FOUND') || folders.length !== 1 || folders[0] === '') throw error
  }
  for (const batch of packBatches(files)) await found(batch)
}

/** Names of the databases that lie in the storage now. */
export async function knownDatabases(storage: Store, settings: ExcludedPaths): Promise<string[]> {
  const found: string[] = []
  const exclude = excludeFrom(settings)
  for await (const entry of storage.list('', { depth: 1, exclude })) {
    if (entry.folder && !entry.path.startsWith('_')) found.push(entry.path)
  }
  return found
}

/** Is this path (a folder's ends in a slash) never listed: one of Arc's temporary names, or a folder of Arc's or ours inside the storage root? */
export function excludeFrom(settings: ExcludedPaths): (path: string) => boolean {
  const inside = excludedInside(settings)
  return (path) => isLeftOut(path, inside)
}

interface ExcludedPaths {
  readonly storagePath: string | null
  /** Absolute. */
  readonly excluded: readonly string[]
}

/** Storage paths of folders of Arc's or ours inside the storage root; a folder's ends in no slash. */
export function excludedInside({ storagePath, excluded }: ExcludedPaths): Set<string> {
  if (storagePath === null) return new Set()
  const names = excluded.map((path) => relative(storagePath, path))
  return new Set(names.filter((name) => name !== '' && !name.startsWith('..') && !isAbsolute(name)))
}

async function checkRoom({ target, progress, tracker }: Run, listed: number, spared: Need): Promise<void> {
  // What was spared so far is among what is done.
  const [bytes, files] = [
    progress.read('bytes') - progress.read('reusedBytes') + spared.bytes,
    progress.read('files') - progress.read('reusedFiles') + spared.files,
  ]
  await checkSpace(target, {
    bytes: Math.max(0, listed - bytes) + reserve,
    files: Math.max(0, tracker.totalFiles - files),
  })
}

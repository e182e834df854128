import { readdir, rm } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isServiceError, ServiceError } from '../errors.js'
import { isBackupId } from '../format/backup-id.js'
import { backupPaths } from '../format/layout.js'
import { type Marker, readMarker } from '../format/marker.js'
import { readTombstone } from '../format/tombstone.js'
import type { Store } from '../stores/store.js'
import { entomb } from './bury.js'
import { removeFiles } from './delete.js'
import { inventoryFile, leftInventory } from './earlier.js'
import type { Surroundings } from './execution.js'
import { PlaceLocks } from './place-locks.js'
import { storeNames, targetStoreName } from './run.js'
import type { Target } from './targets.js'
import { unstageLeft } from './unstage.js'
import type { RecordedUpload } from './upload-notes.js'
import { abortUploads, openUploads } from './uploads.js'

/** How long a tombstone stays, in ms: longer than any process stands still and is then let go on. */
const tombstoneAge = 24 * 60 * 60 * 1000
/** What local disk calls a file until it is whole. */
const temporaryName = /\/\.arc-backup-\d+-[0-9a-f]+\.part$/
/** Larger things are no marker and no tombstone (bytes). */
const small = 64 << 10

/** Something that was removed, or would be; one stands for all files that a restore moved aside. */
export interface Swept {
  readonly place: string
  readonly path: string
  readonly why: string
}

export interface SweepOptions {
  /** Told of what could not be looked at or removed now. */
  readonly onLeft?: () => void
  /** Targets that give no answer: nobody waits for them. */
  readonly silent?: readonly Target[]
}

/**
 * Removes what interrupted operations left: only what is provably ours, and nobody's work in progress. A folder at a target without manifest and without
 * our marker may be Arc's own running backup, or another instance's: it stays.
 */
export async function sweep(
  around: Surroundings,
  targets: readonly Target[],
  dryRun: boolean,
  { onLeft = () => {}, silent = [] }: SweepOptions = {},
): Promise<Swept[]> {
  const swept: Swept[] = []
  for (const target of targets) {
    if (silent.includes(target)) {
      around.log.warn({ target: target.name }, 'target without answer left out of the sweep')
      onLeft()
      continue
    }
    const locks = new PlaceLocks(around, () => {})
    try {
      // Looking needs no lock: at most starts there is nothing to sweep, and nobody is to be kept waiting for that.
      let found = await sweepTarget(around, target, true)
      if (found.length > 0 && !dryRun) {
        await locks.take(target, 'sweep', 'sweep')
        found = await sweepTarget(around, target, false)
      }
      swept.push(...found)
      if (!dryRun) await finishDeletes(around, target)
    } catch (error) {
      // The next sweep finds it again.
      around.log.warn({ target: target.name, err: error }, 'target left out of the sweep')
      onLeft()
    } finally {
      await locks.release()
    }
  }
  swept.push(
    ...(await sweepMovedAside(around, dryRun)),
    ...(await sweepState(around, targets, dryRun, { onLeft, silent })),
  )
  for (const { place, path, why } of swept) around.log.info({ place, path, why }, dryRun ? 'would be swept' : 'swept')
  return swept
}

async function sweepTarget(around: Surroundings, target: Target, dryRun: boolean): Promise<Swept[]> {
  const { store } = target
  const swept: Swept[] = []
  const place = store.url
  for (const id of await foldersOf(store)) {
    const marker = await markerOf(store, id)
    const manifest = await readSmall(store, `${id}/${backupPaths.manifest}`)
    const buried = manifest === 'large' || manifest === null ? null : readTombstone(manifest)
    const parts = manifest !== null && buried === null ? await unfinishedIn(store, id) : []
    if (parts.length > 0) {
      swept.push(...parts.map((path) => ({ place, path, why: 'a file in the making that was left' })))
      if (!dryRun) await store.remove(parts)
    }
    if (!marker) {
      if (buried === null || Date.now() - buried < tombstoneAge) continue
      swept.push({ place, path: `${id}/`, why: 'the tombstone of a backup that was swept a day ago' })
      if (!dryRun) await store.remove([`${id}/`])
    } else if (marker.instance !== around.journal.instance || isUnderWay(around, marker)) {
      // Another instance's, or work in progress.
    } else if (manifest !== null && buried === null) {
      swept.push({ place, path: `${id}/${backupPaths.marker}`, why: 'the backup is whole' })
      if (!dryRun) await store.remove([`${id}/${backupPaths.marker}`])
    } else {
      if (!dryRun && !(await bury(around, target, id))) continue
      if (!dryRun) around.journal.finishDelete(marker.operation)
      swept.push({ place, path: `${id}/`, why: `left by the ${marker.kind} ${marker.operation}, which has ended` })
    }
  }
  return swept
}

/** A delete that was killed after it had removed everything has left nothing to be swept: its record alone is to be mended. */
async function finishDeletes({ journal }: Surroundings, { store, name }: Target): Promise<void> {
  for (const { operationId, backupId } of journal.interruptedDeletes(name)) {
    if ((await markerOf(store, backupId)) !== null) continue
    const manifest = await readSmall(store, `${backupId}/${backupPaths.manifest}`)
    const gone = manifest === null || (manifest !== 'large' && readTombstone(manifest) !== null)
    if (gone) journal.finishDelete(operationId)
  }
}

/**
 * On local disk nobody who could still commit has lost the lock: there no tombstone is needed.
 *
 * @returns false where somebody has committed it meanwhile: then it is whole, and stays
 */
async function bury({ pool }: Surroundings, { store, name }: Target, id: string): Promise<boolean> {
  const remote = !store.rename
  if (remote && (await entomb(store, id)) !== null) return false
  await removeFiles(store, targetStoreName(name), pool, id, remote)
  return true
}

function isUnderWay({ journal }: Surroundings, { operation }: Marker): boolean {
  const entry = journal.operation(operation)
  return entry !== undefined && (entry.resumable || entry.status.status === 'running')
}

async function foldersOf(store: Store): Promise<string[]> {
  const found: string[] = []
  try {
    for await (const { path, folder } of store.list('', { depth: 1 })) if (folder && isBackupId(path)) found.push(path)
  } catch (error) {
    if (!isServiceError(error, 'STORE_NOT_FOUND')) throw error
  }
  return found
}

/** A marker or a manifest whose writer was killed before it got its name; who holds the lock of the target knows that nobody writes it any more. */
async function unfinishedIn(store: Store, id: string): Promise<string[]> {
  if (!store.rename) return []
  const found: string[] = []
  for await (const { path, folder } of store.list(id, { depth: 1 }))
    if (!folder && temporaryName.test(path)) found.push(path)
  return found
}

async function markerOf(store: Store, id: string): Promise<Marker | null> {
  const bytes = await readSmall(store, `${id}/${backupPaths.marker}`)
  if (bytes === null || bytes === 'large') return null
  try {
    return readMarker(bytes)
  } catch (error) {
    if (isServiceError(error, 'MANIFEST_INVALID')) return null
    throw error
  }
}

async function readSmall(store: Store, path: string): Promise<Buffer | 'large' | null> {
  try {
    if ((await store.stat(path)).size > small) return 'large'
    const parts: Buffer[] = []
    for await (const part of await store.read(path)) parts.push(part as Buffer)
    return Buffer.concat(parts)
  } catch (error) {
    if (isServiceError(error, 'STORE_NOT_FOUND')) return null
    throw error
  }
}

/** Files that a restore in mode `replace` took out of sight, once nobody will want them back. */
async function sweepMovedAside({ journal, storage, settings }: Surroundings, dryRun: boolean): Promise<Swept[]> {
  const swept: Swept[] = []
  for (const { id, completedAt } of journal.withMovedAside()) {
    if (Date.now() - Date.parse(completedAt ?? '') < settings.keepReplacedMs) continue
    let [first, files] = ['', 0]
    for (const page of journal.movedAside(id)) {
      const hidden = page.flatMap((file) => file.hidden ?? [])
      first ||= hidden[0] ?? ''
      files += hidden.length
      if (!dryRun) {
        await storage.remove(hidden)
        journal.forgetMovedAside(id, page.at(-1)?.path)
      }
      await nextTurn()
    }
    const more = files > 1 ? `, with ${files - 1} more` : ''
    swept.push({ place: storage.url, path: first, why: `moved aside by the restore ${id}${more}` })
  }
  return swept
}

/** What operations that have ended left in the state; uploads in parts and staged files that are on record there are removed before their record is. */
async function sweepState(
  around: Surroundings,
  targets: readonly Target[],
  dryRun: boolean,
  { onLeft, silent }: Required<SweepOptions>,
): Promise<Swept[]> {
  const { journal, settings, log } = around
  const folder = `${settings.statePath}/operations`
  const names = await readdir(folder).catch(() => [])
  const swept: Swept[] = []
  const targetOf = (name: string) => targets.find((candidate) => targetStoreName(candidate.name) === name)
  const storeOf = (name: string): Store => {
    if (name === storeNames.storage) return around.storage
    const target = targetOf(name)
    if (!target || silent.includes(target)) throw new ServiceError('UNAVAILABLE', `${name} gives no answer`)
    return target.store
  }
  for (const name of names) {
    const entry = journal.operation(name)
    if (entry && (entry.resumable || entry.status.status === 'running')) continue
    const uploads = `${folder}/${name}/uploads.jsonl`
    const isLost = ({ store }: RecordedUpload): boolean => store !== storeNames.storage && !targetOf(store)
    try {
      const lost = openUploads(uploads).find(isLost)
      if (lost) {
        // No sweep of this process can: a later one, where the target is configured again.
        log.warn(
          { operation_id: name, store: lost.store },
          'it left uploads in parts at a target that is configured no more',
        )
        continue
      }
      swept.push({ place: folder, path: name, why: 'its operation has ended' })
      if (dryRun) continue
      if (entry?.status.operation === 'restore' && around.storage.rename) {
        await unstageLeft(around.pool, name, `${folder}/${name}`, [inventoryFile, leftInventory])
      }
      await abortUploads(uploads, storeOf)
      await rm(`${folder}/${name}`, { recursive: true, force: true })
    } catch (error) {
      log.warn({ operation_id: name, err: error }, 'what it left could not be removed yet')
      onLeft()
    }
  }
  return swept
}

import { hash } from 'node:crypto'
import type { Logger } from 'pino'
import { isServiceError, ServiceError } from '../errors.js'
import { isBackupId } from '../format/backup-id.js'
import { backupPaths } from '../format/layout.js'
import { type Manifest, readManifest } from '../format/manifest.js'
import { readTombstone } from '../format/tombstone.js'
import type { Store } from '../stores/store.js'
import { runLanes } from './lanes.js'
import { pinnedBy } from './pins.js'
import { persist } from './write-text.js'

/** A manifest is read whole, so its size is bounded. */
const largestManifest = 64 << 20
/** Manifests that are read at once for a list: with 20 ms for each request a year of nights takes a second, and one after the other 15. */
const atOnce = 16

/** A manifest, and what tells it from every other. */
export interface FoundManifest {
  readonly manifest: Manifest
  /** SHA-256 (hex) of its file. */
  readonly sha256: string
  /** Only from a list. */
  readonly pinned?: true
}

/** Manifests that can be read, and what is to be said of the others. */
export interface FoundList {
  readonly manifests: FoundManifest[]
  readonly warnings: string[]
}

/** The manifest of one backup. @throws NOT_FOUND where there is no such backup, MANIFEST_INVALID where it is damaged. */
export async function loadManifest(target: Store, id: string): Promise<Manifest> {
  return (await findManifest(target, id)).manifest
}

/** @throws as `loadManifest` */
export async function findManifest(target: Store, id: string): Promise<FoundManifest> {
  const path = `${id}/${backupPaths.manifest}`
  try {
    const content = await persist(target, () => readManifestFile(target, path))
    if (readTombstone(content) !== null) throw new ServiceError('NOT_FOUND', 'Backup not found')
    const manifest = readManifest(content)
    if (manifest.backup_id === id) return { manifest, sha256: hash('sha256', content, 'hex') }
    throw new ServiceError(
      'MANIFEST_INVALID',
      `cannot read ${path} at ${target.url}: it is the manifest of ${JSON.stringify(manifest.backup_id)}`,
    )
  } catch (error) {
    if (isServiceError(error, 'STORE_NOT_FOUND'))
      throw new ServiceError('NOT_FOUND', 'Backup not found', { cause: error })
    throw error
  }
}

async function readManifestFile(target: Store, path: string): Promise<Buffer> {
  const { size, etag } = await target.stat(path)
  if (size > largestManifest) {
    throw new ServiceError(
      'MANIFEST_INVALID',
      `cannot read ${path} at ${target.url}: ${size} bytes are more than a manifest has`,
    )
  }
  const parts: Buffer[] = []
  for await (const part of await target.read(path)) parts.push(part as Buffer)
  const content = Buffer.concat(parts)
  if (etag === undefined || content.length === size) return content
  // Cut on its way, or replaced just now: not yet a damaged manifest.
  const message = `cannot read ${path} at ${target.url}: the answer has ${content.length} of ${size} bytes`
  throw new ServiceError('STORE_UNREACHABLE', message, { verb: 'read', path })
}

/** Manifests of all backups, in no order. One level is listed, data is never walked; a damaged manifest is skipped with a warning. */
export async function listManifests(target: Store, log: Logger): Promise<FoundList> {
  const manifests: FoundManifest[] = []
  const warnings: string[] = []
  const { ids, pins } = await rootOf(target)
  await runLanes(atOnce, ids, async (id) => {
    try {
      const found = await findManifest(target, id)
      manifests.push(pins.has(id) ? { ...found, pinned: true } : found)
    } catch (error) {
      // A folder without manifest is a backup under way, or one that failed: no backup.
      if (isServiceError(error, 'NOT_FOUND')) return
      const why = error instanceof Error ? error.message : String(error)
      warnings.push(`${id} is left out: ${why}`)
      log.warn({ backup_id: id, err: error }, 'damaged manifest left out of the list')
    }
  })
  return { manifests, warnings }
}

/** Names at the root of a target: folders of backups, and what is pinned. */
async function rootOf(target: Store): Promise<{ ids: string[]; pins: ReadonlySet<string> }> {
  const [ids, pins] = [[] as string[], new Set<string>()]
  try {
    for await (const { path, folder } of target.list('', { depth: 1 })) {
      const pinned = folder ? null : pinnedBy(path)
      if (pinned !== null) pins.add(pinned)
      else if (folder && isBackupId(path)) ids.push(path)
    }
  } catch (error) {
    // Nothing was ever written there.
    if (!isServiceError(error, 'STORE_NOT_FOUND')) throw error
  }
  return { ids, pins }
}

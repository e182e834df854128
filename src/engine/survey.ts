import { createReadStream, statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isServiceError, type ServiceError, toFailure } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import type { Manifest } from '../format/manifest.js'
import { parseSidecar } from '../format/sidecar.js'
import { walkBackup } from './backup-files.js'
import { findManifest } from './backups.js'
import { type Batch, type BatchFile, bytesOf, packBatches, pathsOf, unpack } from './batch.js'
import { copySingle } from './copy-files.js'
import { partsOf } from './fetched-list.js'
import type { Findings } from './findings.js'
import { runLanes } from './lanes.js'
import { MeasurementCounts } from './measurement-counts.js'
import type { Gap } from './operation.js'
import type { PresentFiles } from './present-files.js'
import { type Run, storeNames } from './run.js'
import { type Selected, selectFrom } from './selection.js'
import { isSourceFailure } from './transfer.js'

/** What a look at names and sizes has told of a backup; its files are in the inventory, each with what must be found. */
export interface Survey {
  /** SHA-256 (hex) of the manifest's file; '' where it is damaged. */
  readonly manifestSha256: string
  /** Is a SHA-256 on record for every file? */
  readonly hashed: boolean
}

/** Looks whether everything is there that should be, with its size, and nothing else. @throws NOT_FOUND where there is no backup */
export async function surveyBackup(run: Run, present: PresentFiles, findings: Findings): Promise<Survey> {
  const own = new Set<string>([backupPaths.manifest, backupPaths.marker])
  const found = await readManifest(run, findings)
  const { target: store, targetStore: storeName, pool, backupId } = run
  await walkBackup({ store, storeName, pool, backupId }, {}, ({ paths, sizes }) => {
    run.progress.check()
    for (const [index, path] of pathsOf({ paths }).entries()) {
      const name = path.slice(backupId.length + 1)
      if (!own.has(name)) present.add({ path: name, size: sizes[index] ?? 0 })
    }
  })
  const sidecar = await provenSidecar(run, found?.manifest, present, findings)
  const hashed = sidecar !== null && (await compare(run, sidecar, found?.manifest, present, findings))
  if (hashed) await nameUnexpected(run, present, findings)
  else await count(run, found?.manifest, present, findings)
  run.tracker.totalsKnown = true
  return { manifestSha256: found?.sha256 ?? '', hashed }
}

/** Null where it is damaged. */
async function readManifest(run: Run, findings: Findings): Promise<{ manifest: Manifest; sha256: string } | null> {
  try {
    return await findManifest(run.target, run.backupId)
  } catch (error) {
    if (!isServiceError(error, 'MANIFEST_INVALID') && !isOfSource(error)) throw error
    findings.add('damaged', gapOf(backupPaths.manifest, error))
    return null
  }
}

/** The list of files, on this machine, with the hash that the manifest has of it. Null where there is none, or none that can be trusted. */
async function provenSidecar(
  run: Run,
  manifest: Manifest | undefined,
  present: PresentFiles,
  findings: Findings,
): Promise<string | null> {
  const path = backupPaths.sidecar
  const size = present.claim(path)
  const record = manifest?.sidecar
  // Arc's own has hashes too, but nothing that vouches for it.
  if (manifest && !record) return null
  if (typeof size !== 'number') {
    if (record) findings.add('missing', lacking(path))
    return null
  }
  const target = `${run.scratchFolder}/${path}`
  try {
    const from = { from: run.targetStore, path: `${run.backupId}/${path}`, to: storeNames.state, target, size }
    await copySingle(run, { ...from, ...(record && { sha256: record.sha256 }) })
    return `${run.scratch.url}/${path}`
  } catch (error) {
    if (!isOfSource(error)) throw error
    findings.add('damaged', gapOf(path, error))
    return null
  }
}

/** Holds what is there against the list of files; false where that list is none. */
async function compare(
  run: Run,
  sidecar: string,
  manifest: Manifest | undefined,
  present: PresentFiles,
  findings: Findings,
): Promise<boolean> {
  let entries = 0
  try {
    const take = async (read: Selected): Promise<void> => {
      entries += read.entries
      for (const batch of read.selection.batches) {
        run.progress.check()
        look(run, batch, present, findings)
        await nextTurn()
      }
    }
    await runLanes(run.pool.workers, partsOf(statSync(sidecar).size), async (part) => {
      await take(await run.pool.select({ kind: 'select', file: sidecar, ...part }))
    })
    // The same list in another writer's hand, without a line for each entry.
    if (entries === 0) {
      for await (const batch of parseSidecar(createReadStream(sidecar))) await take(selectFrom(batch, undefined))
    }
  } catch (error) {
    if (!isServiceError(error, 'MANIFEST_INVALID', 'PATH_UNSAFE')) throw error
    findings.add('damaged', gapOf(backupPaths.sidecar, error))
    return false
  }
  const expected = manifest?.sidecar?.entries ?? entries
  if (entries !== expected) {
    const message = `it has ${entries} entries, the manifest says ${expected}`
    findings.add('damaged', { path: backupPaths.sidecar, code: 'INTEGRITY', message })
  }
  return true
}

function look(run: Run, batch: Batch, present: PresentFiles, findings: Findings): void {
  const flawed = new Set<number>()
  for (const [index, path] of pathsOf(batch).entries()) {
    const expected = batch.sizes[index]
    const size = present.claim(path)
    if (size === expected) continue
    flawed.add(index)
    if (size === undefined) findings.add('missing', lacking(path))
    else if (size === 'again') {
      const message = `it names ${path} twice`
      findings.add('damaged', { path: backupPaths.sidecar, code: 'INTEGRITY', message })
    } else
      findings.add('damaged', { path, code: 'INTEGRITY', message: `it has ${size} bytes, ${expected} were expected` })
  }
  run.tracker.totalFiles += flawed.size
  if (flawed.size === 0) takeBatch(run, batch)
  else
    take(
      run,
      unpack(batch).filter((_, index) => !flawed.has(index)),
    )
}

async function nameUnexpected(run: Run, present: PresentFiles, findings: Findings): Promise<void> {
  for (const files of present.below('', { unclaimed: true })) {
    run.progress.check()
    await nextTurn()
    for (const { path } of files) {
      findings.add('unexpected', { path, code: 'INTEGRITY', message: 'it is not in the list of files' })
    }
  }
}

/** Without a list of files: what the manifest counts. */
async function count(
  run: Run,
  manifest: Manifest | undefined,
  present: PresentFiles,
  findings: Findings,
): Promise<void> {
  const counts = new MeasurementCounts()
  for (const files of present.below('')) {
    run.progress.check()
    await nextTurn()
    take(
      run,
      files.filter(({ path }) => path !== backupPaths.sidecar).map((file) => ({ ...file, mtimeNs: 0n })),
    )
    for (const { path, size } of files) {
      if (path.startsWith(backupPaths.data)) counts.add(path.slice(backupPaths.data.length), size)
    }
  }
  run.tracker.warn(
    'nothing vouches for single files of this backup: counts and sizes, and what a closer look can read, are all there is to verify',
  )
  if (!manifest) return
  if (manifest.sidecar === undefined && (manifest.skipped_files ?? 0) > 0) {
    run.tracker.warn('the manifest counts files that were skipped: its counts are no measure of what is there')
  } else {
    for (const { path, surplus, message } of [...counts.compare(manifest), ...counts.unknownTo(manifest)]) {
      const flaw = surplus < 0 ? 'missing' : surplus > 0 ? 'unexpected' : 'damaged'
      findings.add(flaw, { path: backupPaths.data + path, code: 'INTEGRITY', message }, Math.max(1, Math.abs(surplus)))
    }
  }
  const parts = [
    manifest.has_metadata && backupPaths.metadata('arc'),
    manifest.has_iceberg_catalog && backupPaths.metadata('iceberg-catalog'),
    manifest.has_config && backupPaths.config,
  ].filter((path) => path !== false)
  for (const path of parts) if (present.sizeOf(path) === undefined) findings.add('missing', lacking(path))
}

/** Puts files into the inventory: a closer look goes through that. */
function take(run: Run, files: readonly BatchFile[]): void {
  for (const batch of packBatches(files)) takeBatch(run, batch)
}

function takeBatch(run: Run, batch: Batch): void {
  run.inventory.add(batch)
  run.tracker.totalFiles += batch.sizes.length
  run.tracker.totalBytes += bytesOf(batch)
}

function lacking(path: string): Gap {
  return { path, code: 'STORE_NOT_FOUND', message: 'it is not there' }
}

function gapOf(path: string, error: ServiceError): Gap {
  return { path, code: error.code, message: error.message }
}

/** Is this about one file of the backup alone? Everything else ends the verify without a verdict. */
function isOfSource(error: unknown): error is ServiceError {
  return isServiceError(error) && isSourceFailure(toFailure(error))
}

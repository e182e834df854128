import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isServiceError, ServiceError } from '../errors.js'
import { classify } from '../format/data-path.js'
import { backupPaths } from '../format/layout.js'
import { LocalStore } from '../stores/local.js'
import { findManifest } from './backups.js'
import { unpack } from './batch.js'
import { readContents } from './contents.js'
import { walkSource } from './list-source.js'
import { LiveFiles } from './live-files.js'
import type { RestoreRequest } from './operation.js'
import { checkOwner, stagingOf } from './precheck.js'
import { type FileKind, fileKinds, type PartPlan, planIdOf, type RestorePlan, type Tally } from './restore-plan.js'
import { roomFor, without } from './room.js'
import type { Run } from './run.js'
import type { Part } from './selection.js'
import { allocated, checkSpace, type Need } from './space.js'
import { sampleSize } from './tracker.js'

/** What a restore would do, as a list of steps: the same reading and checking as before a real one, and nothing is changed. @throws as a restore that would be refused */
export async function planFiles(run: Run, request: RestoreRequest, target: string): Promise<RestorePlan> {
  const { manifest, sha256: manifestSha256 } = await findManifest(run.target, run.backupId)
  const contents = await readContents(run, manifest, request)
  await checkOwner(run)
  const live = new LiveFiles(`${run.scratch.url}/live.db`)
  try {
    const outlook = await lookAtFiles(run, request, contents.databases, live)
    const parts = planParts(run, request, contents.parts)
    const warnings = [...run.tracker.warnings, ...warn(request, outlook, parts)]
    const space = await planSpace(
      run,
      request,
      { ...contents.need, ...without(contents.need, outlook.inPlace) },
      parts,
      warnings,
    )
    const plan = {
      backupId: run.backupId,
      target,
      mode: request.mode,
      verified: contents.verified,
      files: outlook.files,
      mixedPartitions: outlook.mixedPartitions,
      missingFiles: contents.missing.files,
      space,
      ...parts,
      warnings,
    }
    return { planId: planIdOf(plan, { request, target, manifestSha256, liveSha256: outlook.liveSha256 }), ...plan }
  } finally {
    live.close()
  }
}

interface Outlook extends Pick<RestorePlan, 'files' | 'mixedPartitions'> {
  readonly liveSha256: string
  /** Live files that have the size of the backup's. */
  readonly inPlace: Need
}

/** Holds the files of the backup against those that lie in the storage now. */
async function lookAtFiles(
  run: Run,
  request: RestoreRequest,
  databases: ReadonlySet<string>,
  live: LiveFiles,
): Promise<Outlook> {
  const files = Object.fromEntries(fileKinds.map((kind) => [kind, { files: 0, bytes: 0 }])) as Record<FileKind, Tally>
  const inPlace = { bytes: 0, files: 0 }
  const count = (kind: FileKind, bytes: number): void => {
    files[kind].files += 1
    files[kind].bytes += bytes
  }
  if (request.restoreData) {
    await walkSource(run, [...databases], false, async (batch) => {
      run.progress.check()
      for (const file of unpack(batch)) live.add(file)
      await nextTurn()
    })
  }
  for (const batch of run.inventory.batches()) {
    run.progress.check()
    const restored = unpack(batch)
    for (const file of restored) {
      count(live.meet(file) ?? 'new', file.size)
      if (!live.hasSize(file)) continue
      inPlace.bytes += allocated(file.size)
      inPlace.files += 1
    }
    live.note(
      restored.map(({ path }) => path),
      'restored',
    )
    await nextTurn()
  }
  const hash = createHash('sha256')
  for (const page of live.pages()) {
    run.progress.check()
    const extras = page.filter(
      ({ path, fate }) => fate === null && !path.startsWith('_') && classify(path) === 'parquet',
    )
    for (const { size } of extras) count(request.mode === 'replace' ? 'movedAside' : 'kept', size)
    if (request.mode === 'merge') {
      live.note(
        extras.map(({ path }) => path),
        'kept',
      )
    }
    for (const { path, size, mtimeNs, fate } of [...extras, ...page.filter((file) => file.fate === 'changed')]) {
      hash.update(`${path}\0${size}\0${mtimeNs}\0${fate}\n`)
    }
    await nextTurn()
  }
  return { files, mixedPartitions: await countMixed(run, live), liveSha256: hash.digest('hex'), inPlace }
}

async function countMixed(run: Run, live: LiveFiles): Promise<RestorePlan['mixedPartitions']> {
  const sample: string[] = []
  let count = 0
  for (const partitions of live.mixedPartitions()) {
    run.progress.check()
    count += partitions.length
    sample.push(...partitions.slice(0, sampleSize - sample.length))
    await nextTurn()
  }
  return { count, sample }
}

type Parts = Pick<RestorePlan, 'databases' | 'configuration'>

function planParts(run: Run, request: RestoreRequest, parts: readonly Part[]): Parts {
  const { settings } = run
  const plan = (name: string, inBackup: string, path: string | null, isWanted: boolean): PartPlan => {
    const part = parts.find((candidate) => candidate.path === inBackup)
    const known = { name, path, bytes: part?.size ?? null }
    if (!isWanted) return { ...known, action: 'keep', why: 'not asked for' }
    if (!part) return { ...known, action: 'keep', why: 'not in the backup' }
    if (path === null)
      throw new ServiceError('REQUEST_INVALID', 'cannot restore the configuration: no configuration file is loaded')
    return { ...known, action: existsSync(path) ? 'replace' : 'create' }
  }
  return {
    databases: settings.databases.map(({ name, path }) =>
      plan(name, backupPaths.metadata(name), path, request.restoreMetadata),
    ),
    configuration: plan('arc.toml', backupPaths.config, settings.configFile, request.restoreConfig),
  }
}

function warn({ mode, restoreMetadata }: RestoreRequest, { mixedPartitions }: Outlook, { databases }: Parts): string[] {
  const warnings: string[] = []
  if (mode === 'merge' && mixedPartitions.count > 0) {
    warnings.push(
      'some day partitions would hold compacted files and raw ones (mixed_partitions): rows may then be there twice; `mode: "replace"` moves what the backup lacks aside',
    )
  }
  if (restoreMetadata && databases.some(({ name, action }) => name === 'arc' && action === 'replace')) {
    warnings.push(
      'arc.db goes back to its state at the time of the backup: tokens revoked since are valid again, tokens made since are gone',
    )
  }
  return warnings
}

/** The rooms that the restore asks for before it writes; where one is too small, `warnings` gets its words. */
async function planSpace(
  run: Run,
  request: RestoreRequest,
  contents: { bytes: number; files: number; largest: number },
  { databases, configuration }: Parts,
  warnings: string[],
): Promise<RestorePlan['space']> {
  const need = request.restoreData ? roomFor(stagingOf(run, request), contents) : { bytes: 0, files: 0 }
  let sufficient = true
  const check = async (room: Promise<void>): Promise<void> => {
    await room.catch((error: unknown) => {
      if (!isServiceError(error, 'STORE_FULL')) throw error
      sufficient = false
      warnings.push(error.message)
    })
  }
  await check(checkSpace(run.storage, need))
  for (const { path, action, bytes } of [...databases, configuration]) {
    if (action === 'keep' || path === null) continue
    const live = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    const room = { bytes: allocated(bytes ?? live) + allocated(live), files: 2 }
    await check(checkSpace(new LocalStore(dirname(path)), room, `, for ${path} and its old state`))
  }
  const free = await run.storage.space?.()
  return {
    neededBytes: need.bytes,
    neededFiles: need.files,
    freeBytes: free?.bytes ?? null,
    freeFiles: free && Number.isFinite(free.files) ? free.files : null,
    sufficient,
  }
}

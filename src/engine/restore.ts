import { fromFailure, isServiceError, ServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { loadManifest } from './backups.js'
import { pack, unpack } from './batch.js'
import { completeListing } from './chunks.js'
import { type Part, readContents } from './contents.js'
import { copyFiles, proveFiles } from './copy-files.js'
import { findExtras, settleExtras } from './extras.js'
import { installConfiguration, installDatabases, type StagedPart, stageParts } from './install.js'
import type { StoredBatch } from './inventory.js'
import { runLanes } from './lanes.js'
import type { Gap, RestoreRequest, RestoreStatus } from './operation.js'
import { checkOwner, checkRoom, type Owner } from './precheck.js'
import { type Run, storeNames } from './run.js'
import { sampleSize } from './tracker.js'

/**
 * A restore, as a list of steps. All reading, checking and running out of space comes before the first live file changes; a switch once begun is
 * finished whoever asks to stop. Says `completed` only if every file asked for is in place.
 */
export async function runRestore(run: Run, request: RestoreRequest): Promise<'completed'> {
  const { tracker } = run
  tracker.enter('reading')
  tracker.restore = emptyStatus(request)
  const manifest = await loadManifest(run.target, run.backupId)
  const contents = await readContents(run, manifest, request)
  tracker.restore = { ...tracker.restore, verified: contents.verified }
  tracker.enter('checking')
  const owner = await checkOwner(run)
  const staging = stagingOf(run, request)
  await checkRoom(run, staging, contents.need)
  await findExtras(run, contents.databases)
  let parts: readonly StagedPart[] = []
  let staged = false
  try {
    // Nothing can be hidden where nothing can be renamed: all or nothing then means to prove it all before the first write.
    if (request.allOrNothing && staging === 'file') await prove(run, contents.missing)
    parts = await stage(run, staging, request, owner, contents.parts)
    if (request.allOrNothing && countMissing(run, contents.missing) > 0) throw incomplete(run)
    run.progress.check()
    tracker.enter('syncing')
    if (request.restoreData) await run.storage.sync?.()
    run.progress.check()
    staged = true
  } finally {
    if (!staged && staging === 'all') await unstage(run)
  }
  await switchIn(run, staging, request, parts, owner)
  if (countMissing(run, contents.missing) > 0) throw incomplete(run)
  return 'completed'
}

/** Object stores have no rename: there each file is put in its place as a whole, once its hash is known to be right. */
function stagingOf(run: Run, request: RestoreRequest): RestoreRequest['staging'] {
  return run.storage.rename ? request.staging : 'file'
}

/** Reads and hashes every file of the backup. @throws INTEGRITY where one is missing or damaged */
async function prove(run: Run, missing: readonly Gap[]): Promise<void> {
  run.tracker.enter('checking')
  await proveFiles(run, `${run.backupId}/${backupPaths.data}`)
  if (countMissing(run, missing) > 0) throw incomplete(run)
}

/** Writes every file under its hidden name (`staging: all`), or each one to its place once it is proven (`file`). */
async function stage(
  run: Run,
  staging: RestoreRequest['staging'],
  request: RestoreRequest,
  owner: Owner | undefined,
  parts: readonly Part[],
): Promise<readonly StagedPart[]> {
  run.tracker.enter('staging')
  const inPlace = staging === 'file'
  // One by one, live files change from here on: everything else is proven first.
  const early = inPlace ? await stageParts(run, request, parts) : null
  const proven = early ?? stageParts(run, request, parts)
  const copied = copyFiles(run, completeListing(), {
    from: run.targetStore,
    to: storeNames.storage,
    fromPrefix: `${run.backupId}/${backupPaths.data}`,
    toPrefix: '',
    recorded: true,
    ...(!inPlace && { direct: true, hideFor: run.id }),
    ...(owner && { owner }),
  })
  await Promise.allSettled([proven, copied])
  await copied.catch((error: unknown) => {
    // Nobody else writes hidden names of this operation.
    if (!isServiceError(error, 'STORE_EXISTS')) throw error
    throw new ServiceError('MANIFEST_INVALID', `the list of files of ${run.backupId} names a file twice`, {
      cause: error,
    })
  })
  return proven
}

async function switchIn(
  run: Run,
  staging: RestoreRequest['staging'],
  request: RestoreRequest,
  parts: readonly StagedPart[],
  owner: Owner | undefined,
): Promise<void> {
  run.tracker.switching = true
  run.tracker.enter('switching')
  if (request.restoreData) {
    if (staging === 'all') {
      await runLanes(run.pool.workers, run.inventory.batches(), async (batch) => show(run, batch))
    }
    await settleExtras(run, request.mode)
    await run.storage.sync?.()
  }
  await installDatabases(run, parts, owner)
  await installConfiguration(run, parts)
}

/** Gives the staged files of a batch their own names. */
async function show(run: Run, batch: StoredBatch): Promise<void> {
  const staged = unpack(batch).filter((_, index) => batch.done[index] === 1)
  if (staged.length === 0) return
  const { paths } = pack(staged)
  const task = { kind: 'rename', store: storeNames.storage, operation: run.id, direction: 'show' } as const
  const { failures, fatal } = await run.pool.transfer({ ...task, paths })
  if (fatal) throw fromFailure(fatal)
  run.inventory.addFailures(pack(staged), failures)
}

/** Takes back what was staged, and the folders that were made for it: the restore has changed nothing. */
async function unstage(run: Run): Promise<void> {
  await runLanes(run.pool.workers, run.inventory.batches(), async ({ paths }) => {
    await run.pool.transfer({ kind: 'remove', store: storeNames.storage, paths, hiddenFor: run.id })
  })
}

/** Puts what is not in place into the status, and returns how much that is. */
function countMissing(run: Run, uncounted: readonly Gap[]): number {
  const failures = run.inventory.failures(sampleSize).map(({ path, code, message }) => ({ path, code, message }))
  const missingFiles = run.inventory.countFailed() + uncounted.length
  const missingSample = [...failures, ...uncounted].slice(0, sampleSize)
  if (run.tracker.restore) run.tracker.restore = { ...run.tracker.restore, missingFiles, missingSample }
  return missingFiles
}

function incomplete(run: Run): ServiceError {
  const { missingFiles = 0, missingSample = [] } = run.tracker.restore ?? {}
  const of = `${missingFiles} of ${run.tracker.totalFiles} files are missing or damaged in ${run.backupId}`
  const first = missingSample[0]
  return new ServiceError('INTEGRITY', `restore failed: ${of}${first ? `; the first: ${first.message}` : ''}`)
}

function emptyStatus(request: RestoreRequest): RestoreStatus {
  return {
    mode: request.mode,
    verified: null,
    missingFiles: 0,
    missingSample: [],
    keptFiles: 0,
    keptPartitions: [],
    replacedFiles: 0,
  }
}

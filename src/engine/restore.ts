import { setImmediate as nextTurn } from 'node:timers/promises'
import { fromFailure, isServiceError, ServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import type { Store } from '../stores/store.js'
import { loadManifest } from './backups.js'
import { fileStates, packBatches, unpack } from './batch.js'
import { completeListing } from './chunks.js'
import { type Lacking, readContents } from './contents.js'
import { type CopyPlan, copyFiles, proveFiles } from './copy-files.js'
import { findExtras, settleExtras } from './extras.js'
import { installConfiguration, installDatabases, type StagedPart, stageParts } from './install.js'
import type { StoredBatch } from './inventory.js'
import { runLanes } from './lanes.js'
import type { RestoreRequest, RestoreStatus } from './operation.js'
import { checkOwner, checkRoomForParts, type Owner, stagingOf } from './precheck.js'
import { checkRoom } from './room.js'
import { type Run, storeNames } from './run.js'
import type { Part } from './selection.js'
import { restoreShares } from './sharing.js'
import { beginSwitch, readSwitch, type SwitchRecord } from './switch.js'
import { sampleSize } from './tracker.js'
import { unstage, unstageLeft } from './unstage.js'
import { WriteBack } from './write-back.js'

/**
 * A restore, as a list of steps. All reading, checking and running out of space comes before the first live file changes; a switch once begun is
 * finished whoever asks to stop, or by the next process. Says `completed` only if every file asked for is in place.
 */
export async function runRestore(run: Run, request: RestoreRequest): Promise<'completed'> {
  if (run.resumed?.switching) return finishSwitch(run, request)
  if (run.resumed && run.storage.rename) await unstageLeft(run.pool, run.id, run.scratch.url)
  const { tracker } = run
  tracker.enter('reading')
  tracker.restore = emptyStatus(request)
  const manifest = await loadManifest(run.target, run.backupId)
  const contents = await readContents(run, manifest, request)
  tracker.restore = { ...tracker.restore, verified: contents.verified }
  tracker.enter('checking')
  const owner = await checkOwner(run)
  const staging = stagingOf(run, request)
  if (!(await isEmpty(run.storage))) {
    await indexFiles(run)
    await findExtras(run, contents.databases)
  }
  await checkRoom(run, staging, contents, owner)
  const { missing } = contents
  if (staging === 'file') return restoreInPlace(run, request, contents.parts, { owner, missing })
  let parts: readonly StagedPart[] = []
  let staged = false
  try {
    const writeBack = new WriteBack(run.storage, '')
    parts = await stage(run, request, contents.parts, { owner, writeBack })
    if (request.allOrNothing) await findOccupied(run)
    if (request.allOrNothing && countMissing(run, missing) > 0) throw incomplete(run)
    run.progress.check()
    tracker.enter('syncing')
    if (request.restoreData) await writeBack.finish()
    run.progress.check()
    await checkRoomForParts(parts)
    await beginSwitch(run, { staging, parts, missing, ...(owner && { owner }) })
    staged = true
  } finally {
    if (!staged) await takeBack(run)
  }
  return switchIn(run, request, { staging, parts, missing, ...(owner && { owner }) })
}

/** Each file to its place once it is proven: where nothing can be renamed, or where there is no room for all of them twice. */
async function restoreInPlace(
  run: Run,
  request: RestoreRequest,
  parts: readonly Part[],
  { owner, missing }: { owner: Owner | undefined; missing: Lacking },
): Promise<'completed'> {
  // Nothing can be hidden where nothing can be renamed: all or nothing then means to prove it all before the first write.
  if (request.allOrNothing) await prove(run, missing)
  run.tracker.enter('staging')
  // Live files change from here on: everything else is proven first.
  const record = {
    staging: 'file',
    parts: await stageParts(run, request, parts),
    missing,
    ...(owner && { owner }),
  } as const
  await checkRoomForParts(record.parts)
  await beginSwitch(run, record)
  return switchIn(run, request, record)
}

/** What was interrupted in its switch, from the list that it had. */
async function finishSwitch(run: Run, request: RestoreRequest): Promise<'completed'> {
  const record = await readSwitch(run)
  run.tracker.restore = { ...emptyStatus(request), verified: record.verified }
  run.tracker.totalFiles = record.totalFiles
  run.tracker.totalBytes = record.totalBytes
  run.tracker.totalsKnown = true
  run.tracker.begun = true
  if (record.staging === 'all') {
    run.tracker.switching = true
    run.progress.add('files', record.totalFiles)
    run.progress.add('bytes', record.totalBytes)
  }
  return switchIn(run, request, record)
}

/** Reads and hashes every file of the backup. @throws INTEGRITY where one is missing or damaged */
async function prove(run: Run, missing: Lacking): Promise<void> {
  run.tracker.enter('checking')
  await proveFiles(run, `${run.backupId}/${backupPaths.data}`)
  if (countMissing(run, missing) > 0) throw incomplete(run)
}

/** Writes every file under its hidden name, and proves it. */
async function stage(
  run: Run,
  request: RestoreRequest,
  parts: readonly Part[],
  { owner, writeBack }: { owner: Owner | undefined; writeBack: WriteBack },
): Promise<readonly StagedPart[]> {
  run.tracker.enter('staging')
  const onBatch = (): void => writeBack.written(run.progress.read('bytes'))
  const hidden = { direct: true, hideFor: run.id } as const
  const plan = { ...(await planOf(run, owner)), ...(await comparison(run, request)), ...hidden, onBatch }
  const proven = stageParts(run, request, parts)
  const copied = copyFiles(run, completeListing(), plan)
  await Promise.allSettled([proven, copied])
  await copied.catch((error: unknown) => {
    // Nobody else writes hidden names of this operation.
    if (!isServiceError(error, 'STORE_EXISTS')) throw error
    throw namedTwice(run, error)
  })
  return proven
}

/** A name that is a folder here by now (an object store holds `a` beside `a/b`) could not be switched in: all or nothing has to know it before. */
async function findOccupied(run: Run): Promise<void> {
  const store = storeNames.storage
  await runLanes(run.pool.workers, run.inventory.batches(), async (batch) => {
    run.progress.check()
    const { paths, done: states } = batch
    const { failures, fatal } = await run.pool.transfer({ kind: 'vacancy', store, paths, states })
    if (fatal) throw fromFailure(fatal)
    run.inventory.addFailures(batch, failures)
  })
}

/** Nothing is compared where there is nothing. */
async function comparison(run: Run, request: RestoreRequest): Promise<Pick<CopyPlan, 'compare'>> {
  return (await isEmpty(run.storage)) ? {} : { compare: request.compare ?? 'hash' }
}

/** Is there nothing but what hidden names are left of? */
async function isEmpty(storage: Store): Promise<boolean> {
  try {
    for await (const { path } of storage.list('', { depth: 1 })) if (!path.startsWith('.')) return false
  } catch (error) {
    if (!isServiceError(error, 'STORE_NOT_FOUND')) throw error
  }
  return true
}

/** Of two entries for one path, one could be staged and the other left alone. @throws MANIFEST_INVALID */
async function indexFiles(run: Run): Promise<void> {
  for (const twice of run.inventory.index()) {
    run.progress.check()
    if (twice.length > 0) throw namedTwice(run)
    await nextTurn()
  }
}

function namedTwice(run: Run, cause?: unknown): ServiceError {
  return new ServiceError('MANIFEST_INVALID', `the list of files of ${run.backupId} names a file twice`, { cause })
}

async function planOf(run: Run, owner: Owner | undefined): Promise<CopyPlan> {
  const share = await restoreShares(run, owner)
  return {
    from: run.targetStore,
    to: storeNames.storage,
    fromPrefix: `${run.backupId}/${backupPaths.data}`,
    toPrefix: '',
    recorded: true,
    ...(share && { share }),
    ...(owner && { owner }),
  }
}

/** Under its hidden name until it is proven, where a store has such: a kill leaves nothing then that the resume does not write again. */
async function inPlace(run: Run, owner: Owner | undefined): Promise<CopyPlan> {
  const plan = await planOf(run, owner)
  return run.storage.rename ? { ...plan, direct: true, hideFor: run.id, show: true } : plan
}

/** Changes live files. Each step can be done twice: after an interruption all of them are done again. */
async function switchIn(run: Run, request: RestoreRequest, record: SwitchRecord): Promise<'completed'> {
  const { staging, parts, owner, missing } = record
  if (staging === 'all') run.tracker.enter('switching')
  if (request.restoreData) {
    if (staging === 'file') {
      await copyFiles(run, completeListing(), { ...(await inPlace(run, owner)), ...(await comparison(run, request)) })
    } else {
      const listed = run.inventory.lastBatch()
      await runLanes(run.pool.workers, run.inventory.batches(), async (batch) => show(run, batch))
      if (run.inventory.lastBatch() > listed) {
        await copyFiles(run, completeListing(), await inPlace(run, owner), listed)
      }
    }
    run.tracker.switching = true
    run.tracker.enter('switching')
    if (run.storage.rename) await settleExtras(run, request.mode)
    await run.storage.sync?.()
  }
  run.tracker.switching = true
  await installDatabases(run, parts, owner)
  await installConfiguration(run, parts)
  const missingFiles = countMissing(run, missing)
  // Where nothing can be moved aside it is gone for good: so last, and only beside a whole backup.
  if (request.restoreData && !run.storage.rename) await settleExtras(run, request.mode, missingFiles === 0)
  if (missingFiles > 0) throw incomplete(run)
  return 'completed'
}

/** Gives the staged files of a batch their own names. What was left alone and is not there any more is listed again, to be copied after all. */
async function show(run: Run, batch: StoredBatch): Promise<void> {
  const { done, paths, sizes } = batch
  const store = storeNames.storage
  if (done.includes(fileStates.leftAlone)) {
    const confirmed = await run.pool.transfer({ kind: 'confirm', store, batch, states: done })
    if (confirmed.fatal) throw fromFailure(confirmed.fatal)
    if (confirmed.failures.length > 0) listAgain(run, batch, new Set(confirmed.failures.map(({ index }) => index)))
  }
  if (!done.includes(fileStates.done)) return
  const again = run.resumed ? { again: sizes } : {}
  const task = { kind: 'rename', store, operation: run.id, direction: 'show', states: done, ...again } as const
  const { failures, fatal } = await run.pool.transfer({ ...task, paths })
  if (fatal) throw fromFailure(fatal)
  run.inventory.addFailures(batch, failures)
}

function listAgain({ inventory, progress }: Run, batch: StoredBatch, changed: ReadonlySet<number>): void {
  const files = unpack(batch).filter((_, index) => changed.has(index))
  for (const fresh of packBatches(files)) inventory.add(fresh)
  progress.add('unchanged', -files.length)
  progress.add('files', -files.length)
  for (const { size } of files) progress.add('bytes', -size)
}

/** The restore has changed nothing. Why it failed is what has to be told; what could not be removed is the next sweep's. */
async function takeBack(run: Run): Promise<void> {
  try {
    await unstage(run.pool, run.id, run.inventory)
  } catch (error) {
    run.log.error({ err: error }, 'hidden files that were staged are left over: the next sweep removes them')
    run.tracker.leftBehind = true
  }
}

/** Puts what is not in place into the status, and returns how much that is. */
function countMissing(run: Run, lacking: Lacking): number {
  const failures = run.inventory.failures(sampleSize).map(({ path, code, message }) => ({ path, code, message }))
  const missingFiles = run.inventory.countFailed() + lacking.files
  const missingSample = [...failures, ...lacking.sample].slice(0, sampleSize)
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

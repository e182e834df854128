import { setImmediate as nextTurn } from 'node:timers/promises'
import { ServiceError } from '../errors.js'
import { dataPartitionOf } from '../format/data-path.js'
import { type BatchFile, etagsOf, packBatches } from './batch.js'
import type { Census } from './census.js'
import { changedSince, isBelow } from './changed-folders.js'
import { CompactionJobs } from './compaction-jobs.js'
import type { Failed, StoredBatch } from './inventory.js'
import { printSource, walkFolders } from './list-source.js'
import { eachInPartition } from './partition-prints.js'
import { Relisting } from './relisting.js'
import type { Run } from './run.js'
import { checkSource } from './source-root.js'
import { sampleSize } from './tracker.js'
import { withdraw } from './withdraw.js'

/** Files and failures looked at between two turns of the event loop. */
const perPage = 1000

/**
 * Makes a backup that was copied while Arc went on hold every day partition as it was at one instant. Arc's compaction writes its state file, then the
 * merged file, deletes the inputs, then the state file; a copy of files as they were listed has such rows twice, or not at all.
 *
 * A partition is settled when a listing still has every file that the backup holds, in the same version: then all of them lay there together at the
 * end of the listing before. What came since is newer than the backup, so that no rate of ingestion keeps it from ending, but for two kinds of
 * file: merged ones, whose inputs the listing before may just have missed, and those not younger than the youngest that the backup holds: no
 * listing is made in one instant. State files are taken before each listing, so that one that is at work in the settled files is among them.
 *
 * @param copy copies what is in the inventory after this batch
 * @throws SOURCE_CHANGED for partitions that lose files still at the last of `backup.settle_passes` listings
 */
export async function settlePartitions(
  run: Run,
  databases: readonly string[] | undefined,
  census: Census,
  copy: (after: number) => Promise<void>,
): Promise<void> {
  run.tracker.enter('settling')
  const jobs = new CompactionJobs(new Set(census.states))
  const takeStates = async (): Promise<void> => {
    const after = run.inventory.lastBatch()
    await jobs.look(run, databases)
    await copy(after)
  }
  await takeStates()
  let moving = await findMoving(run, databases, census)
  for (const { partition } of failuresIn(run)) moving.add(partition)
  let [pass, replacedFiles] = [1, 0]
  const note = (consumedInputs = 0): void => {
    run.tracker.settled = { passes: pass, replacedFiles, consumedInputs }
  }
  for (note(); moving.size > 0; note()) {
    const after = run.inventory.lastBatch()
    const { moved, replaced } = await follow(run, census, moving, pass === run.settings.settlePasses)
    if (moved.size === 0) break
    replacedFiles += replaced
    await copy(after)
    pass += 1
    moving = moved
    await takeStates()
  }
  note(await jobs.dropConsumed(run, census))
}

/** Partitions that are not as the backup holds them; what lies in folders whose entries have not changed since they were listed is. */
async function findMoving(run: Run, databases: readonly string[] | undefined, census: Census): Promise<Set<string>> {
  const changed = await changedSince(run, census.reread)
  if (!changed) return census.prints.differing(await printSource(run, databases))
  if (changed.size === 0) return new Set()
  return census.prints.differing(await printSource(run, databases, [...changed]), (partition) =>
    isBelow(partition, changed),
  )
}

/**
 * Lists some partitions again and makes the backup equal to what is there now, but for the copying: that stands in the inventory. Answers the partitions
 * that were not settled, and how many files had to go.
 */
async function follow(
  run: Run,
  census: Census,
  partitions: ReadonlySet<string>,
  last: boolean,
): Promise<{ moved: Set<string>; replaced: number }> {
  const relisting = new Relisting(`${run.scratch.url}/relisting.db`)
  try {
    await walkFolders(run, [...partitions], undefined, false, (batch) => {
      run.progress.check()
      relisting.add(batch)
    })
    // An unmounted source must not look like one that deleted everything.
    await checkSource(run)
    const lost = new Set<string>()
    let replaced = 0
    for (const batch of run.inventory.batches()) {
      run.progress.check()
      const out = compare(batch, relisting, partitions, lost)
      if (out.size > 0 && !last) await withdraw(run, census, batch, out)
      replaced += out.size
      await nextTurn()
    }
    for (const { partition, failure } of failuresIn(run)) {
      if (partitions.has(partition) && !isStillUnreadable(failure, relisting)) lost.add(partition)
    }
    const late = new Set<string>()
    for (const partition of partitions) {
      const behind = relisting.behind(partition)
      if (behind.merged) lost.add(partition)
      if (behind.late) late.add(partition)
      await nextTurn()
    }
    if (last) {
      if (lost.size > 0) throw neverStill(run, lost)
      return { moved: new Set(), replaced: 0 }
    }
    forgetFailures(run, lost)
    for (const partition of lost) await addFiles(run, relisting.lacking(partition))
    for (const partition of late) if (!lost.has(partition)) await addFiles(run, relisting.lacking(partition, 'late'))
    return { moved: new Set([...lost, ...late]), replaced }
  } finally {
    relisting.close()
  }
}

/** Files of a batch that the backup holds and the listing has no more, or in another version; their partitions are put into `lost`. */
function compare(
  batch: StoredBatch,
  relisting: Relisting,
  partitions: ReadonlySet<string>,
  lost: Set<string>,
): Set<string> {
  const out = new Set<string>()
  const etags = etagsOf(batch)
  eachInPartition(batch, (path, partition, index) => {
    if (batch.done[index] !== 1 || !partitions.has(partition)) return
    const [size = 0, mtimeNs = 0n, etag = ''] = [batch.sizes[index], batch.mtimesNs[index], etags[index]]
    if (relisting.mark('held', { path, size, mtimeNs, etag })) return
    out.add(path)
    lost.add(partition)
  })
  return out
}

/** A file that can't be read and lies there as before is a gap. One that vanished or was written to has moved. */
function isStillUnreadable(failure: Failed, relisting: Relisting): boolean {
  if (failure.code === 'STORE_NOT_FOUND' || failure.code === 'SOURCE_CHANGED') return false
  return relisting.mark('unreadable', failure)
}

/** What could not be read of these partitions is tried again, or is gone. */
function forgetFailures(run: Run, partitions: ReadonlySet<string>): void {
  for (const { partition, failure } of failuresIn(run)) {
    if (!partitions.has(partition)) continue
    run.inventory.forgetFailure(failure.id)
    run.tracker.totalFiles -= 1
    run.tracker.totalBytes -= failure.size
  }
}

function* failuresIn(run: Run): Generator<{ partition: string; failure: Failed }, void, undefined> {
  for (let page = run.inventory.failures(perPage); page.length > 0; ) {
    for (const failure of page) {
      const partition = dataPartitionOf(failure.path)
      if (partition !== null) yield { partition, failure }
    }
    page = run.inventory.failures(perPage, page.at(-1)?.id)
  }
}

async function addFiles(run: Run, files: Iterable<BatchFile>): Promise<void> {
  const add = (some: readonly BatchFile[]): void => {
    for (const batch of packBatches(some)) run.inventory.add(batch)
    run.tracker.totalFiles += some.length
    for (const { size } of some) run.tracker.totalBytes += size
  }
  let page: BatchFile[] = []
  for (const file of files) {
    page.push(file)
    if (page.length < perPage) continue
    add(page)
    page = []
    await nextTurn()
  }
  add(page)
}

function neverStill(run: Run, lost: ReadonlySet<string>): ServiceError {
  const partitions = [...lost].sort()
  const named = partitions.slice(0, sampleSize).join(', ')
  const more = partitions.length > sampleSize ? ` and ${partitions.length - sampleSize} more` : ''
  const times = run.settings.settlePasses
  return new ServiceError(
    'SOURCE_CHANGED',
    `cannot back up ${named}${more} at ${run.storage.url}: files there were deleted or rewritten whenever they were listed, ${times} times (backup.settle_passes)`,
    { partitions: partitions.slice(0, sampleSize) },
  )
}

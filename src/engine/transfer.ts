import { type Failure, isServiceError, ServiceError, toFailure } from '../errors.js'
import { quote } from '../stores/path.js'
import { stoppable } from '../stores/stopping.js'
import type { Copied, Store } from '../stores/store.js'
import { type Batch, type BatchFailure, type BatchFile, fileStates, pathsOf, unpack } from './batch.js'
import { runLanes } from './lanes.js'
import { type Compare, confirmInPlace, isInPlace } from './left-alone.js'
import type { Limits } from './limits.js'
import { type MoveOptions, moveFile, moveNow, type Ways as Way } from './move-file.js'
import { BatchProgress, Progress } from './progress.js'
import { proveFile } from './prove-file.js'
import { type Moved, type Report, reportOn } from './report.js'
import { isUnchanged, type Reuse, readKnown, reuseFile } from './reuse.js'
import { checkOwnName, hiddenName } from './stage-name.js'
import { notesOn } from './upload-notes.js'

/** What a worker thread is asked to do with a batch; stores go by their names. */
export type TransferTask = CopyTask | ConfirmTask | VacancyTask | ProveTask | InspectTask | RenameTask | RemoveTask

interface Ways {
  readonly from: string
  readonly to: string
  /** Put before each path on either side. */
  readonly fromPrefix: string
  readonly toPrefix: string
  readonly batch: Batch
  readonly progress: SharedArrayBuffer
}

export interface CopyTask extends Ways {
  readonly kind: 'copy'
  /** Write under the hidden names of this operation. */
  readonly hideFor?: string
  /** And give each file its own name as soon as it is proven. One that is in the way was left by a kill. */
  readonly show?: true
  /** Sizes, times and hashes of the batch are what must be found, and what the copies get; otherwise they are what the listing saw. */
  readonly recorded?: true
  readonly direct?: true
  /** Do both ends share blocks? */
  readonly share?: true
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Is the source live? Then a file that changed while it was read is read again. */
  readonly live?: true
  /** Count and write lines for the sidecar. */
  readonly report?: true
  /** Leave files of the destination alone that are what is on record already. */
  readonly compare?: Compare
  /** Where to find what an earlier backup has of these files. */
  readonly reuse?: Reuse
  /** Files in flight at once; 1 where nothing waits for a network. */
  readonly transfers?: number
  /** A stop is heeded, and nothing counted. */
  readonly uncounted?: true
  /** File of this machine that holds a line for each upload in parts before its first part moves, and one when it has ended (see `upload-notes.ts`). */
  readonly uploads?: string
}

/** Is each file what is on record of it? Reads and hashes it where it is. */
export interface ProveTask {
  readonly kind: 'prove'
  readonly from: string
  readonly fromPrefix: string
  readonly batch: Batch
  readonly transfers: number
  readonly progress: SharedArrayBuffer
  /** Count files and bytes. */
  readonly counted?: true
  /** Is each file whose name ends so to be a Parquet file? */
  readonly parquet?: true
}

/** Are files that were left alone still there? */
export interface ConfirmTask {
  readonly kind: 'confirm'
  readonly store: string
  readonly batch: Batch
  /** What became of each file (`fileStates`); the others are not looked at. */
  readonly states: Uint8Array
}

/** Can each staged file have its own name, or does a folder have it? */
export interface VacancyTask {
  readonly kind: 'vacancy'
  readonly store: string
  readonly paths: string
  /** What became of each file (`fileStates`): only those that were done are looked at. */
  readonly states: Uint8Array
}

/** Is each path a plain file, in real folders, on both sides? */
export interface InspectTask extends Ways {
  readonly kind: 'inspect'
  readonly operation: string
}

export interface RenameTask {
  readonly kind: 'rename'
  readonly store: string
  readonly paths: string
  readonly operation: string
  /** `show`: from the hidden name of a staged file to its own; `hide`: aside. */
  readonly direction: 'show' | 'hide'
  /** What became of each file (`fileStates`): only those that were done are renamed. Absent: all. */
  readonly states?: Uint8Array
  /** Sizes of the files where this is done again after an interruption: one that lost its hidden name and has this size was switched before. */
  readonly again?: Float64Array
}

export interface RemoveTask {
  readonly kind: 'remove'
  readonly store: string
  readonly paths: string
  /** Remove the hidden names of what this operation staged, not the files themselves. */
  readonly hiddenFor?: string
}

/** Failures are results: class and code of an error would be lost at the thread boundary. */
export interface TransferOutcome {
  /** For each file `fileStates.done` or `fileStates.leftAlone`, or 0. */
  readonly done: Uint8Array
  /** Files whose source can't be read, is not what it should be, or that could not be renamed. */
  readonly failures: readonly BatchFailure[]
  /** What ended the batch in the middle, and with it the operation. */
  readonly fatal: Failure | null
  readonly report: Report | null
  /** Size and hash of the last file copied: all there is to know of a batch of one. */
  readonly last: Copied | null
}

/** Does one task. @param limits what it shares with all others of this process; tests have none */
export async function transfer(
  task: TransferTask,
  store: (name: string) => Promise<Store>,
  limits?: Limits,
): Promise<TransferOutcome> {
  try {
    switch (task.kind) {
      case 'copy':
        return await copyBatch(task, await store(task.from), await store(task.to), limits)
      case 'confirm':
        return await confirmBatch(task, await store(task.store))
      case 'vacancy':
        return await findOccupied(task, await store(task.store))
      case 'prove':
        return await proveBatch(task, await store(task.from), limits)
      case 'inspect':
        return await inspectBatch(task, await store(task.from), await store(task.to))
      case 'rename':
        return await renameBatch(task, await store(task.store))
      case 'remove':
        return await removeBatch(task, await store(task.store))
    }
  } catch (error) {
    return { ...emptyOutcome(0), fatal: toFailure(error) }
  }
}

/** May this failure be about one file of the source alone? Everything else (the target, a stop, a bug) ends the operation. */
export function isSourceFailure(failure: Failure): boolean {
  const codes = [
    'STORE_NOT_FOUND',
    'STORE_DENIED',
    'STORE_IO',
    'PATH_UNSAFE',
    'INTEGRITY',
    'SOURCE_CHANGED',
    'ARCHIVED',
  ]
  // A name that the other side can't hold is about this file, whoever finds out.
  return failure.code === 'PATH_INVALID' || (codes.includes(failure.code) && failure.detail?.verb !== 'write')
}

async function copyBatch(task: CopyTask, from: Store, to: Store, limits?: Limits): Promise<TransferOutcome> {
  const progress = new Progress(task.progress)
  const counted = new BatchProgress(task.uncounted ? new Progress() : progress)
  const report = task.report ? reportOn() : null
  let last: Copied | null = null
  const notes = task.uploads === undefined ? {} : notesOn(task.uploads, task.to)
  const known = task.reuse && readKnown(task.reuse)
  const reuse = async (file: BatchFile, target: string): Promise<Moved | undefined> => {
    const before = known?.get(file.path)
    if (!before || !isUnchanged(file, before)) return undefined
    return reuseFile(before, to, target, { ...notes, check: () => progress.check() })
  }
  const moving = { live: task.live, progress, counted, limits }
  const optionsFor = optionsOf(task)
  const landed = (file: BatchFile, moved: Moved): number => {
    counted.addFile(moved.serverSide)
    report?.add(file.path, moved, file.mtimeNs)
    last = moved
    return fileStates.done
  }
  const move = async (file: BatchFile, ways: Way): Promise<number> => {
    if (task.compare && (await isInPlace(to, file, task.compare, { progress, counted, limits }))) {
      counted.addFile()
      counted.addUnchanged()
      return fileStates.leftAlone
    }
    const reused = await reuse(file, ways.target)
    if (reused) counted.addReused(reused.size)
    if (reused) return landed(file, reused)
    const once = () => moveFile(ways, { ...optionsFor(file), ...notes }, moving)
    return landed(file, task.show ? await moveAndShow(to, ways.target, task.toPrefix + file.path, once) : await once())
  }
  const waits = task.compare !== undefined || known !== undefined || task.show === true
  const outcome = await eachInFlight(task, { from, to }, limits, (file) => {
    progress.check()
    if (task.hideFor !== undefined) checkOwnName(file.path)
    const name = task.hideFor === undefined ? file.path : hiddenName(file.path, task.hideFor, 'part')
    const ways = { from, to, path: task.fromPrefix + file.path, target: task.toPrefix + name, size: file.size }
    const moved = waits ? undefined : moveNow(ways, optionsFor(file), moving)
    return moved ? landed(file, moved) : move(file, ways)
  })
  counted.flush()
  return { ...outcome, report: report?.end(task.batch, outcome.done) ?? null, last }
}

/** A file that can't be shown leaves nothing hidden. */
async function moveAndShow(to: Store, hidden: string, path: string, move: () => Promise<Copied>): Promise<Copied> {
  const copied = await move().catch(async (error: unknown) => {
    if (!isServiceError(error, 'STORE_EXISTS')) throw error
    await to.remove([hidden])
    return move()
  })
  try {
    await to.rename?.(hidden, path)
  } catch (error) {
    await to.remove([hidden])
    throw error
  }
  return copied
}

async function proveBatch(task: ProveTask, from: Store, limits?: Limits): Promise<TransferOutcome> {
  const progress = new Progress(task.progress)
  const counted = new BatchProgress(progress)
  const counting = task.counted && { counted }
  const outcome = await eachInFlight(task, { from }, limits, async (file) => {
    progress.check()
    const parquet = task.parquet === true && file.path.endsWith('.parquet')
    await proveFile(from, task.fromPrefix + file.path, file, { progress, parquet, limits, ...counting })
    if (task.counted) counted.addFile()
    return fileStates.done
  })
  counted.flush()
  return outcome
}

async function confirmBatch({ batch, states }: ConfirmTask, store: Store): Promise<TransferOutcome> {
  return each(unpack(batch), 1, async (file, index) => {
    if (states[index] !== fileStates.leftAlone) return 0
    await confirmInPlace(store, file)
    return fileStates.leftAlone
  })
}

async function findOccupied(task: VacancyTask, store: Store): Promise<TransferOutcome> {
  const paths = pathsOf(task)
  const failures: BatchFailure[] = []
  for (const [index, path] of paths.entries()) {
    if (task.states[index] !== fileStates.done) continue
    try {
      await store.stat(path)
    } catch (error) {
      if (!isServiceError(error, 'STORE_NOT_FOUND')) throw error
      if (error.detail.isFolder !== true) continue
      const message = `cannot write ${quote(path)} at ${store.url}: a folder has this name`
      failures.push({ index, failure: toFailure(new ServiceError('PATH_INVALID', message, { verb: 'write', path })) })
    }
  }
  return { ...emptyOutcome(paths.length), failures }
}

async function inspectBatch(task: InspectTask, from: Store, to: Store): Promise<TransferOutcome> {
  const progress = new Progress(task.progress)
  const seen = new Set<string>()
  return eachUntilStopped(task, [from, to], 1, async ({ path }) => {
    progress.check()
    await inspectFolder(from, task.fromPrefix + path, seen)
    await inspectFolder(to, task.toPrefix + path, seen)
    // Where there are no folders to inspect there are no links either: a request for each object would find nothing.
    if (from.inspectFolder && !hasOnlyFiles(task, from, path)) await from.stat(task.fromPrefix + path)
    return fileStates.done
  })
}

/** Folders of one operation's source that this thread has looked into; a folder may be that of many batches. */
const lookedInto = { operation: '', plain: new Map<string, boolean>() }
const mostFolders = 1024

/** Does the folder of this path hold nothing but plain files? A look at each costs as much as reading small ones. */
function hasOnlyFiles({ operation, fromPrefix }: InspectTask, from: Store, path: string): boolean {
  const folder = (fromPrefix + path).slice(0, -(path.length - path.lastIndexOf('/') - 1))
  const { plain } = lookedInto
  if (lookedInto.operation !== operation || plain.size >= mostFolders) plain.clear()
  lookedInto.operation = operation
  const found = plain.get(folder) ?? from.hasOnlyFiles?.(folder) ?? false
  plain.set(folder, found)
  return found
}

async function renameBatch(task: RenameTask, store: Store): Promise<TransferOutcome> {
  const paths = pathsOf(task)
  const failures: BatchFailure[] = []
  for (const [index, path] of paths.entries()) {
    if (task.states && task.states[index] !== fileStates.done) continue
    const hidden = hiddenName(path, task.operation, task.direction === 'show' ? 'part' : 'replaced')
    try {
      if (task.direction === 'show') await store.rename?.(hidden, path)
      else await store.rename?.(path, hidden)
    } catch (error) {
      if (await wasSwitched(task, store, index, path)) continue
      // A switch once begun is finished: one name that can't be switched does not keep the others old.
      failures.push({ index, failure: toFailure(error) })
      // Nobody would look for it any more.
      if (task.direction === 'show') await store.remove([hidden]).catch(() => {})
    }
  }
  return { ...emptyOutcome(paths.length), failures }
}

async function wasSwitched({ again }: RenameTask, store: Store, index: number, path: string): Promise<boolean> {
  if (!again) return false
  try {
    return (await store.stat(path)).size === again[index]
  } catch {
    return false
  }
}

async function removeBatch(task: RemoveTask, store: Store): Promise<TransferOutcome> {
  const { hiddenFor } = task
  const paths = pathsOf(task)
  await store.remove(hiddenFor === undefined ? paths : paths.map((path) => hiddenName(path, hiddenFor, 'part')))
  return emptyOutcome(paths.length)
}

/** The same, several at once where a store is remote: as many as it does well with, and no more than the task allows. */
async function eachInFlight(
  task: CopyTask | ProveTask,
  { from, to }: { from: Store; to?: Store },
  limits: Limits | undefined,
  action: (file: BatchFile) => number | Promise<number>,
): Promise<TransferOutcome> {
  const { transfers = 1 } = task
  const stores = to ? [from, to] : [from]
  const flight = limits?.flights.open(task.kind === 'copy' ? [task.from, task.to] : [task.from])
  if (!flight) return eachUntilStopped(task, stores, transfers, action)
  return eachUntilStopped(
    task,
    stores,
    () => Math.min(transfers, flight.most()),
    (file) => flight.fly(file.size, async () => action(file)),
  )
}

/** The same; requests that are under way when the operation is to stop are broken off. */
async function eachUntilStopped(
  { batch, progress }: Pick<Ways, 'batch' | 'progress'>,
  stores: readonly Store[],
  lanes: number | (() => number),
  action: (file: BatchFile) => number | Promise<number>,
): Promise<TransferOutcome> {
  const run = (): Promise<TransferOutcome> => each(unpack(batch), lanes, action)
  const stop = new Progress(progress)
  return stores.some(({ patience }) => patience) ? stoppable(() => stop.check(), run) : run()
}

/** Tries every file. A failure of one file's source is an outcome of that file; any other ends the batch once those under way have ended. */
async function each(
  files: readonly BatchFile[],
  lanes: number | (() => number),
  action: (file: BatchFile, index: number) => number | Promise<number>,
): Promise<TransferOutcome> {
  const done = new Uint8Array(files.length)
  const failures: BatchFailure[] = []
  let fatal: Failure | null = null
  const fail = (index: number, error: unknown): void => {
    const failure = toFailure(error)
    if (isSourceFailure(failure)) failures.push({ index, failure })
    else fatal ??= failure
  }
  const attempt = async ([index, file]: [number, BatchFile]): Promise<void> => {
    try {
      done[index] = await action(file, index)
    } catch (error) {
      fail(index, error)
    }
  }
  if (lanes !== 1) await runLanes(lanes, untilFatal(), attempt)
  else {
    // Neither lanes nor a promise for what is done already: together they cost a small local file a tenth of its time.
    for (const [index, file] of untilFatal()) {
      try {
        const result = action(file, index)
        done[index] = typeof result === 'number' ? result : await result
      } catch (error) {
        fail(index, error)
      }
    }
  }
  return { ...emptyOutcome(0), done, failures, fatal }

  function* untilFatal(): Generator<[number, BatchFile], void, undefined> {
    for (const entry of files.entries()) {
      if (fatal) return
      yield entry
    }
  }
}

/** How each file of a task is moved. */
function optionsOf({ direct, share, owner, recorded, live }: CopyTask): (file: BatchFile) => MoveOptions {
  const same = { ...(direct && { direct }), ...(share && { share }), ...(owner && { owner }) }
  return (file) => {
    const { size, mtimeNs, sha256 } = file
    // Arc's own lists of files have no times.
    if (!recorded) return live && mtimeNs !== 0n ? { ...same, seen: file } : same
    if (sha256 === undefined) return mtimeNs === 0n ? { ...same, size } : { ...same, size, mtimeNs }
    return mtimeNs === 0n ? { ...same, size, sha256 } : { ...same, size, mtimeNs, sha256 }
  }
}

function emptyOutcome(files: number): TransferOutcome {
  return { done: new Uint8Array(files), failures: [], fatal: null, report: null, last: null }
}

async function inspectFolder(store: Store, path: string, seen: Set<string>): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const key = `${store.url}\0${folder}`
  if (seen.has(key)) return
  await store.inspectFolder?.(folder)
  seen.add(key)
}

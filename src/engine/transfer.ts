import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Failure, isServiceError, ServiceError, toFailure } from '../errors.js'
import type { Copied, CopyOptions, Store } from '../stores/store.js'
import { type Batch, type BatchFailure, type BatchFile, pathsOf, unpack } from './batch.js'
import { BatchProgress, Progress } from './progress.js'
import { type Report, reportOn } from './report.js'
import { hiddenName } from './stage-name.js'

/** What a worker thread is asked to do with a batch; stores go by their names. */
export type TransferTask = CopyTask | InspectTask | RenameTask | RemoveTask

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
  /** Sizes, times and hashes of the batch are what must be found, and what the copies get; otherwise they are what the listing saw. */
  readonly recorded?: true
  readonly direct?: true
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Is the source live? Then a file that changed while it was read is read again. */
  readonly live?: true
  /** Count and write lines for the sidecar. */
  readonly report?: true
}

/** Is each path a plain file, in real folders, on both sides? */
export interface InspectTask extends Ways {
  readonly kind: 'inspect'
}

export interface RenameTask {
  readonly kind: 'rename'
  readonly store: string
  readonly paths: string
  readonly operation: string
  /** `show`: from the hidden name of a staged file to its own; `hide`: aside. */
  readonly direction: 'show' | 'hide'
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
  /** 1 for each file that is done. */
  readonly done: Uint8Array
  /** Files whose source can't be read, is not what it should be, or that could not be renamed. */
  readonly failures: readonly BatchFailure[]
  /** What ended the batch in the middle, and with it the operation. */
  readonly fatal: Failure | null
  readonly report: Report | null
  /** Size and hash of the last file copied: all there is to know of a batch of one. */
  readonly last: Copied | null
}

/** How often a live file that changes under the reader is read again, and the pause before each time (ms). */
const rereads = 5
const rereadPause = 50

/** Does one task. */
export async function transfer(task: TransferTask, store: (name: string) => Promise<Store>): Promise<TransferOutcome> {
  try {
    switch (task.kind) {
      case 'copy':
        return await copyBatch(task, await store(task.from), await store(task.to))
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
function isSourceFailure(failure: Failure): boolean {
  const codes = [
    'STORE_NOT_FOUND',
    'STORE_DENIED',
    'STORE_IO',
    'PATH_INVALID',
    'PATH_UNSAFE',
    'INTEGRITY',
    'SOURCE_CHANGED',
  ]
  return codes.includes(failure.code) && failure.detail?.verb !== 'write'
}

async function copyBatch(task: CopyTask, from: Store, to: Store): Promise<TransferOutcome> {
  const progress = new Progress(task.progress)
  const counted = new BatchProgress(progress)
  const report = task.report ? reportOn() : null
  let last: Copied | null = null
  const outcome = await each(unpack(task.batch), async (file) => {
    progress.check()
    last = await copyOne(task, from, to, file, progress, counted)
    counted.addFile()
    report?.add(file.path, last)
  })
  counted.flush()
  return { ...outcome, report: report?.end() ?? null, last }
}

async function inspectBatch(task: InspectTask, from: Store, to: Store): Promise<TransferOutcome> {
  const progress = new Progress(task.progress)
  const seen = new Set<string>()
  return each(unpack(task.batch), async ({ path }) => {
    progress.check()
    await inspectFolder(from, task.fromPrefix + path, seen)
    await inspectFolder(to, task.toPrefix + path, seen)
    await from.stat(task.fromPrefix + path)
  })
}

async function renameBatch(task: RenameTask, store: Store): Promise<TransferOutcome> {
  const paths = pathsOf(task)
  const failures: BatchFailure[] = []
  for (const [index, path] of paths.entries()) {
    const hidden = hiddenName(path, task.operation, task.direction === 'show' ? 'part' : 'replaced')
    try {
      if (task.direction === 'show') await store.rename?.(hidden, path)
      else await store.rename?.(path, hidden)
    } catch (error) {
      // A switch once begun is finished: one name that can't be switched does not keep the others old.
      failures.push({ index, failure: toFailure(error) })
    }
  }
  return { ...emptyOutcome(paths.length), failures }
}

async function removeBatch(task: RemoveTask, store: Store): Promise<TransferOutcome> {
  const { hiddenFor } = task
  const paths = pathsOf(task)
  await store.remove(hiddenFor === undefined ? paths : paths.map((path) => hiddenName(path, hiddenFor, 'part')))
  return emptyOutcome(paths.length)
}

async function each(files: readonly BatchFile[], action: (file: BatchFile) => Promise<void>): Promise<TransferOutcome> {
  const done = new Uint8Array(files.length)
  const failures: BatchFailure[] = []
  for (const [index, file] of files.entries()) {
    try {
      await action(file)
      done[index] = 1
    } catch (error) {
      const failure = toFailure(error)
      if (!isSourceFailure(failure)) return { ...emptyOutcome(0), done, failures, fatal: failure }
      failures.push({ index, failure })
    }
  }
  return { ...emptyOutcome(0), done, failures }
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

async function copyOne(
  task: CopyTask,
  from: Store,
  to: Store,
  file: BatchFile,
  progress: Progress,
  counter: BatchProgress,
): Promise<Copied> {
  const path = task.fromPrefix + file.path
  const target = task.toPrefix + (task.hideFor === undefined ? file.path : hiddenName(file.path, task.hideFor, 'part'))
  for (let read = 1; ; read += 1) {
    let counted = 0
    const options: CopyOptions = {
      onBytes: (bytes) => {
        counted += bytes
        counter.addBytes(bytes)
        progress.check()
      },
      ...(task.recorded && { size: file.size }),
      // Arc's own lists of files have no times.
      ...(task.recorded && file.mtimeNs !== 0n && { mtimeNs: file.mtimeNs }),
      ...(task.recorded && file.sha256 !== undefined && { sha256: file.sha256 }),
      ...(task.direct && { direct: task.direct }),
      ...(task.owner && { owner: task.owner }),
    }
    try {
      return (await to.copy?.(from, path, target, options)) ?? (await stream(from, to, path, target, options))
    } catch (error) {
      counter.addBytes(-counted)
      if (!task.live || !isServiceError(error, 'SOURCE_CHANGED') || read > rereads) throw error
      await sleep(rereadPause)
      progress.check()
    }
  }
}

/**
 * The way that every pair of stores has. Composed so that the root cause survives in every failure: `pipeline(source, meter, fn)` hides a
 * refused write behind an AbortError. No store notices a short source by itself, so the meter does: when its flush fails, no store shows the file.
 */
async function stream(from: Store, to: Store, path: string, target: string, options: CopyOptions): Promise<Copied> {
  const before = await from.stat(path)
  const size = options.size ?? before.size
  const hash = createHash('sha256')
  let total = 0
  let sha256 = ''
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        hash.update(chunk)
        total += chunk.length
        options.onBytes?.(chunk.length)
        done(null, chunk)
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      sha256 = hash.digest('hex')
      const code = options.size === undefined ? 'SOURCE_CHANGED' : 'INTEGRITY'
      if (total !== size) done(differs(code, from, path, `${total} bytes`, `${size}`))
      else if (options.sha256 !== undefined && options.sha256 !== sha256) {
        done(differs('INTEGRITY', from, path, `SHA-256 ${sha256}`, options.sha256))
      } else done()
    },
  })
  const source = await from.read(path, before.etag === undefined ? {} : { version: before.etag })
  const known = options.sha256 === undefined ? { sha256AtEnd: () => sha256 } : { sha256: options.sha256 }
  const written = to.write(target, meter, { size, ...known })
  await Promise.allSettled([pipeline(source, meter), written])
  await written
  return { size, sha256, sourceMtimeNs: before.mtimeNs }
}

function differs(
  code: 'SOURCE_CHANGED' | 'INTEGRITY',
  from: Store,
  path: string,
  found: string,
  expected: string,
): ServiceError {
  const message = `cannot copy ${from.url}/${path}: it has ${found}, ${expected} was expected`
  return new ServiceError(code, message, { verb: 'read', path, expected, found })
}

import { createHash, hash } from 'node:crypto'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isServiceError, ServiceError } from '../errors.js'
import { giveBack } from '../stores/blocks.js'
import { retry } from '../stores/retry.js'
import { type Copied, type CopyOptions, type Seen, type Store, smallFile, type UploadNotes } from '../stores/store.js'
import type { Limits } from './limits.js'
import type { BatchProgress, Progress } from './progress.js'

/** Bytes that a stream holds which does not send in parts. */
const streamMemory = 1 << 20
/** How often a live file that changes under the reader is read again, and the pause before each time (ms). */
const rereads = 5
const rereadPause = 50

/** One file, from where to where. */
export interface Ways {
  readonly from: Store
  readonly to: Store
  readonly path: string
  readonly target: string
  /** Bytes that the listing saw: a guess of what way is the shortest. */
  readonly size: number
}

/** What is the same for many files. */
export interface Moving {
  readonly live: boolean | undefined
  readonly progress: Progress
  readonly counted: BatchProgress
  readonly limits?: Limits | undefined
}

export type MoveOptions = CopyOptions &
  UploadNotes & {
    /** Resolves when so many bytes may move; undefined where they may at once. */
    readonly pace?: (bytes: number) => Promise<void> | undefined
    readonly memory?: number
  }

/**
 * Moves one file of this machine in one go. Undefined where that takes waiting: where an end is elsewhere, or a live source changed under the reader. Nothing is
 * counted then; `moveFile` does it.
 */
export function moveNow(
  { from, to, path, target }: Ways,
  options: MoveOptions,
  { live, progress, counted, limits }: Moving,
): Copied | undefined {
  let bytes = 0
  const onBytes = (count: number): void => {
    bytes += count
    counted.addBytes(count)
    progress.check()
    limits?.pace(count, progress)
  }
  try {
    return to.copyNow?.(from, path, target, { ...options, onBytes })
  } catch (error) {
    counted.addBytes(-bytes)
    if (live && isServiceError(error, 'SOURCE_CHANGED')) return undefined
    throw error
  }
}

/**
 * Moves one file, as often as it takes: from its start again when the network failed or when a live source changed under the reader. The counters step
 * back by what was counted for a try that failed. What came over a network and is not what is on record is read once more: the answer may have been
 * damaged or cut, and not the file.
 */
export async function moveFile(
  ways: Ways,
  options: MoveOptions,
  { live, progress, counted, limits }: Moving,
): Promise<Copied> {
  let bytes = 0
  const patience = ways.to.patience ?? ways.from.patience
  const check = (): void => progress.check()
  const counting: MoveOptions = {
    ...options,
    onBytes: (count) => {
      bytes += count
      counted.addBytes(count)
      progress.check()
      if (!patience) limits?.pace(count, progress)
    },
    ...(patience && limits && { pace: (count: number) => limits.bandwidth.pay(count, check) }),
  }
  let [way, how] = [ways, counting]
  const once = async (): Promise<Copied> => {
    progress.check()
    bytes = 0
    try {
      if (!patience || !limits) return await moveOnce(way, how)
      return await limits.memory.within(memoryFor(way), check, (memory) => moveOnce(way, { ...how, memory }))
    } catch (error) {
      counted.addBytes(-bytes)
      throw error
    }
  }
  let doubted = false
  for (let read = 1; ; read += 1) {
    try {
      return await (patience
        ? retry(once, { timeoutMs: patience.retryTimeoutMs, progressed: () => bytes, check })
        : once())
    } catch (error) {
      if (isServiceError(error, 'INTEGRITY') && ways.from.patience && !doubted) {
        doubted = true
        continue
      }
      if (!live || !isServiceError(error, 'SOURCE_CHANGED') || read > rereads) throw error
      await sleep(rereadPause)
      progress.check()
      const now = await ways.from.stat(ways.path)
      way = { ...ways, size: now.size }
      const { seen: _, ...unseen } = counting
      how = now.etag === undefined ? unseen : { ...unseen, seen: now }
    }
  }
}

/** Bytes that the file takes while it is on its way. */
function memoryFor({ to, size, target }: Ways): number {
  if (size <= smallFile) return size
  return to.uploadMemory?.(size, target) ?? streamMemory
}

async function moveOnce(ways: Ways, options: MoveOptions): Promise<Copied> {
  const { from, to, path, target, size } = ways
  const copied = await to.copy?.(from, path, target, options)
  if (copied) return copied
  return size <= smallFile ? moveSmall(ways, options) : moveStream(ways, options)
}

/** One request, or a few system calls, on each side: the way of Arc's many small files. */
async function moveSmall(ways: Ways, options: MoveOptions): Promise<Copied> {
  const { from, to, path, target, size } = ways
  if (!from.readSmall || !to.writeSmall) return moveStream(ways, options)
  const version = versionIn(options)
  await options.pace?.(size)
  const { bytes, mtimeNs, etag } = await from.readSmall(path, version && { version: version.etag })
  if (bytes.length > size) await options.pace?.(bytes.length - size)
  if (options.size !== undefined && bytes.length !== options.size)
    throw differs('INTEGRITY', from, path, `${bytes.length} bytes`, `${options.size}`)
  if (version && bytes.length !== version.size) throw cutShort(from, path, bytes.length, version.size)
  const sha256 = hash('sha256', bytes, 'hex')
  if (options.sha256 !== undefined && sha256 !== options.sha256)
    throw differs('INTEGRITY', from, path, `SHA-256 ${sha256}`, options.sha256)
  const written = await to.writeSmall(target, bytes, { ...options, sha256, bulk: true })
  const { length } = bytes
  // Not after a failure: the socket of a request that was broken off may still hold them.
  giveBack(bytes)
  options.onBytes?.(length)
  return { size: length, sha256, sourceMtimeNs: mtimeNs, ...tags(etag, written.etag) }
}

/**
 * The way that every pair of stores has. Composed so that the root cause survives in every failure: `pipeline(source, meter, fn)` hides a
 * refused write behind an AbortError. No store notices a short source by itself, so the meter does: when its flush fails, no store shows the file.
 */
async function moveStream({ from, to, path, target }: Ways, options: MoveOptions): Promise<Copied> {
  const before = versionIn(options) ?? (await from.stat(path))
  const size = options.size ?? before.size
  const digest = createHash('sha256')
  let total = 0
  let sha256 = ''
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        digest.update(chunk)
        total += chunk.length
        options.onBytes?.(chunk.length)
        const paid = options.pace?.(chunk.length)
        if (paid !== undefined) paid.then(() => done(null, chunk), done)
        else done(null, chunk)
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      sha256 = digest.digest('hex')
      const code = options.size === undefined ? 'SOURCE_CHANGED' : 'INTEGRITY'
      if (total !== size && code === 'SOURCE_CHANGED' && before.etag !== undefined) {
        done(cutShort(from, path, total, size))
      } else if (total !== size) done(differs(code, from, path, `${total} bytes`, `${size}`))
      else if (options.sha256 !== undefined && options.sha256 !== sha256) {
        done(differs('INTEGRITY', from, path, `SHA-256 ${sha256}`, options.sha256))
      } else if (before.etag !== undefined) done()
      else checkUnchanged(from, path, before).then(() => done(), done)
    },
  })
  const source = await from.read(path, before.etag === undefined ? {} : { version: before.etag })
  const known = options.sha256 === undefined && { sha256AtEnd: () => sha256 }
  const written = to.write(target, meter, { ...options, ...known, size, bulk: true })
  await Promise.allSettled([pipeline(source, meter), written])
  const { etag } = await written
  return { size, sha256, sourceMtimeNs: before.mtimeNs, ...tags(before.etag, etag) }
}

/** The version of a live source that its listing saw: this one is read, and no other. */
function versionIn({ seen }: MoveOptions): (Seen & { readonly etag: string }) | undefined {
  return seen?.etag === undefined ? undefined : { ...seen, etag: seen.etag }
}

function tags(source: string | undefined, copy: string | undefined): Pick<Copied, 'sourceEtag' | 'etag'> {
  return { ...(source !== undefined && { sourceEtag: source }), ...(copy !== undefined && { etag: copy }) }
}

/** Where a store has no versions, a live file may have been rewritten in place while it was read. */
async function checkUnchanged(from: Store, path: string, before: { size: number; mtimeNs: bigint }): Promise<void> {
  const after = await from.stat(path)
  if (after.size === before.size && after.mtimeNs === before.mtimeNs) return
  const message = `cannot copy ${from.url}/${path}: it changed while it was read`
  throw new ServiceError('SOURCE_CHANGED', message, { verb: 'read', path })
}

/** A version has one size: an answer that has another one, whole as it may look, is not all of it. */
function cutShort(from: Store, path: string, found: number, expected: number): ServiceError {
  const message = `cannot read ${from.url}/${path}: the answer has ${found} of ${expected} bytes`
  return new ServiceError('STORE_UNREACHABLE', message, { verb: 'read', path, store: from.url, expected, found })
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

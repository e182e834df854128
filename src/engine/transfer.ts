import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Failure, isServiceError, ServiceError, toFailure } from '../errors.js'
import type { Copied, CopyOptions, Store } from '../stores/store.js'
import { Progress } from './progress.js'

/** One file to move, a plain value. */
export interface CopyItem {
  readonly path: string
  readonly to: string
  /** Expected bytes and SHA-256 (hex), where they are on record. */
  readonly size?: number
  readonly sha256?: string
  /** Modification time to give to the copy. */
  readonly mtimeNs?: bigint
}

/** What a worker thread is asked to do; stores go by their names. */
export type TransferTask =
  | {
      readonly kind: 'copy'
      readonly from: string
      readonly to: string
      readonly items: readonly CopyItem[]
      readonly progress: SharedArrayBuffer
      readonly direct?: true
      readonly owner?: { readonly uid: number; readonly gid: number }
      /** Is the source live? Then a file that changed while it was read is read again. */
      readonly live?: true
    }
  | {
      /** Is each path a plain file, in real folders, on both sides? */
      readonly kind: 'inspect'
      readonly from: string
      readonly to: string
      readonly items: readonly CopyItem[]
      readonly progress: SharedArrayBuffer
    }
  | { readonly kind: 'rename'; readonly store: string; readonly items: readonly CopyItem[] }
  | { readonly kind: 'remove'; readonly store: string; readonly paths: readonly string[] }

/** One result for each item, in their order. Fewer than items: the last one is a failure that ended the chunk. */
export type TransferResult = { readonly copied?: Copied; readonly failure?: Failure }

/** How often a live file that changes under the reader is read again, and the pause before each time (ms). */
const rereads = 5
const rereadPause = 50

/** Does one task. Failures are results: class and code of an error would be lost at the thread boundary. */
export async function transfer(task: TransferTask, store: (name: string) => Promise<Store>): Promise<TransferResult[]> {
  switch (task.kind) {
    case 'copy': {
      const [from, to, progress] = [await store(task.from), await store(task.to), new Progress(task.progress)]
      return each(task.items, async (item) => {
        progress.check()
        const copied = await copyOne(from, to, item, progress, task)
        progress.add('files', 1)
        return { copied }
      })
    }
    case 'inspect': {
      const [from, to, progress] = [await store(task.from), await store(task.to), new Progress(task.progress)]
      const folders = new Set<string>()
      return each(task.items, async (item) => {
        progress.check()
        await inspectFolder(from, item.path, folders)
        await inspectFolder(to, item.to, folders)
        await from.stat(item.path)
        return {}
      })
    }
    case 'rename': {
      const to = await store(task.store)
      const results: TransferResult[] = []
      for (const item of task.items) {
        // A switch once begun is finished: one name that can't be switched does not keep the others old.
        results.push(await attempt(() => done(to.rename?.(item.path, item.to))))
      }
      return results
    }
    case 'remove': {
      const where = await store(task.store)
      return [await attempt(() => done(where.remove(task.paths)))]
    }
  }
}

/** May this failure be about one file of the source alone? Everything else (the target, a stop, a bug) ends the operation. */
export function isSourceFailure(failure: Failure): boolean {
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

async function each(
  items: readonly CopyItem[],
  action: (item: CopyItem) => Promise<TransferResult>,
): Promise<TransferResult[]> {
  const results: TransferResult[] = []
  for (const item of items) {
    const result = await attempt(() => action(item))
    results.push(result)
    if (result.failure && !isSourceFailure(result.failure)) break
  }
  return results
}

async function done(action: Promise<void> | undefined): Promise<TransferResult> {
  await action
  return {}
}

async function attempt(action: () => Promise<TransferResult>): Promise<TransferResult> {
  try {
    return await action()
  } catch (error) {
    return { failure: toFailure(error) }
  }
}

async function inspectFolder(store: Store, path: string, seen: Set<string>): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const key = `${store.url}\0${folder}`
  if (seen.has(key)) return
  await store.inspectFolder?.(folder)
  seen.add(key)
}

async function copyOne(
  from: Store,
  to: Store,
  item: CopyItem,
  progress: Progress,
  options: {
    readonly direct?: true
    readonly owner?: { readonly uid: number; readonly gid: number }
    readonly live?: true
  },
): Promise<Copied> {
  for (let read = 1; ; read += 1) {
    let counted = 0
    const onBytes = (bytes: number): void => {
      counted += bytes
      progress.add('bytes', bytes)
      progress.check()
    }
    try {
      const wanted: CopyOptions = {
        onBytes,
        ...(item.size !== undefined && { size: item.size }),
        ...(item.sha256 !== undefined && { sha256: item.sha256 }),
        ...(item.mtimeNs !== undefined && { mtimeNs: item.mtimeNs }),
        ...(options.direct && { direct: options.direct }),
        ...(options.owner && { owner: options.owner }),
      }
      return (await to.copy?.(from, item.path, item.to, wanted)) ?? (await stream(from, to, item, onBytes))
    } catch (error) {
      progress.add('bytes', -counted)
      if (!options.live || !isServiceError(error, 'SOURCE_CHANGED') || read > rereads) throw error
      await sleep(rereadPause)
      progress.check()
    }
  }
}

/**
 * The way that every pair of stores has. Composed so that the root cause survives in every failure: `pipeline(source, meter, fn)` hides a
 * refused write behind an AbortError. No store notices a short source by itself, so the meter does: when its flush fails, no store shows the file.
 */
async function stream(from: Store, to: Store, item: CopyItem, onBytes: (bytes: number) => void): Promise<Copied> {
  const before = await from.stat(item.path)
  const size = item.size ?? before.size
  const sha256 = createHash('sha256')
  let total = 0
  let found = ''
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        sha256.update(chunk)
        total += chunk.length
        onBytes(chunk.length)
        done(null, chunk)
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      found = sha256.digest('hex')
      if (total !== size) done(differs(from, item, `${total} bytes`, `${size}`))
      else if (item.sha256 !== undefined && item.sha256 !== found)
        done(differs(from, item, `SHA-256 ${found}`, item.sha256))
      else done()
    },
  })
  const source = await from.read(item.path, before.etag === undefined ? {} : { version: before.etag })
  const written = to.write(item.to, meter, { size, ...(item.sha256 !== undefined && { sha256: item.sha256 }) })
  await Promise.allSettled([pipeline(source, meter), written])
  await written
  return { size, sha256: found, sourceMtimeNs: before.mtimeNs }
}

function differs(from: Store, item: CopyItem, found: string, expected: string): ServiceError {
  const code = item.size === undefined && item.sha256 === undefined ? 'SOURCE_CHANGED' : 'INTEGRITY'
  return new ServiceError(code, `cannot copy ${from.url}/${item.path}: it has ${found}, ${expected} was expected`, {
    verb: 'read',
    path: item.path,
    expected,
    found,
  })
}

import { createHash, hash } from 'node:crypto'
import { isServiceError, ServiceError } from '../errors.js'
import { giveBack } from '../stores/blocks.js'
import { retry } from '../stores/retry.js'
import { type Store, smallFile } from '../stores/store.js'
import type { Limits } from './limits.js'
import type { BatchProgress, Progress } from './progress.js'

/** Last bytes of a file that are kept while it is read; where a footer is longer, it is read once more. */
const tailKept = 64 << 10

/** What must be found. */
export interface Expected {
  readonly size: number
  /** Hex; absent where none is on record. */
  readonly sha256?: string
}

/** What is kept of a file that was read: all of a small one, both ends of a large one. */
interface Ends {
  readonly size: number
  readonly sha256: string
  readonly head: Buffer
  readonly tail: Buffer
}

export interface ProofOptions {
  readonly progress: Progress
  /** Where bytes are counted; they step back for a try that failed. */
  readonly counted?: BatchProgress
  /** Is it to be a Parquet file? */
  readonly parquet?: boolean
  readonly limits?: Limits | undefined
}

/** Reads one file where it is, and compares it with what is on record; over a network once more, as the answer may be what is damaged. @throws INTEGRITY */
export async function proveFile(from: Store, path: string, expected: Expected, options: ProofOptions): Promise<void> {
  const { progress, counted, parquet, limits } = options
  const check = (): void => progress.check()
  let bytes = 0
  const once = async (): Promise<void> => {
    check()
    bytes = 0
    const onBytes = (count: number): void => {
      bytes += count
      counted?.addBytes(count)
      check()
      if (!from.patience) limits?.rest()
    }
    // Never blocks: beside it others of its thread may talk to a store.
    const pace = (count: number) => limits?.bandwidth.pay(count, check)
    const ways = { size: expected.size, onBytes, pace }
    try {
      const ends =
        from.patience && limits
          ? await limits.memory.within(Math.min(expected.size, smallFile), check, () => readEnds(from, path, ways))
          : await readEnds(from, path, ways)
      compare(from, path, ends, expected)
      if (parquet) await proveParquet(from, path, ends)
    } catch (error) {
      counted?.addBytes(-bytes)
      throw error
    }
  }
  const { patience } = from
  if (!patience) return once()
  const persist = (): Promise<void> =>
    retry(once, { timeoutMs: patience.retryTimeoutMs, progressed: () => bytes, check })
  await persist().catch((error: unknown) => {
    if (!isServiceError(error, 'INTEGRITY')) throw error
    return persist()
  })
}

interface ReadWays {
  /** Bytes expected: how it is best read. */
  readonly size: number
  readonly onBytes: (count: number) => void
  /** Waits until so many bytes may be read. */
  readonly pace: (count: number) => Promise<void> | undefined
}

async function readEnds(from: Store, path: string, { size, onBytes, pace }: ReadWays): Promise<Ends> {
  if (from.readSmall && size <= smallFile) {
    await pace(size)
    const { bytes } = await from.readSmall(path)
    onBytes(bytes.length)
    return { size: bytes.length, sha256: hash('sha256', bytes, 'hex'), head: bytes, tail: bytes }
  }
  const digest = createHash('sha256')
  let [found, held] = [0, 0]
  let head = Buffer.alloc(0)
  const last: Buffer[] = []
  for await (const chunk of await from.read(path)) {
    const bytes = chunk as Buffer
    digest.update(bytes)
    found += bytes.length
    held += bytes.length
    if (head.length < 4) head = Buffer.concat([head, bytes.subarray(0, 4)])
    last.push(bytes)
    for (let first = last[0]; first && held - first.length >= tailKept; first = last[0]) {
      last.shift()
      held -= first.length
      giveBack(first)
    }
    onBytes(bytes.length)
    await pace(bytes.length)
  }
  return { size: found, sha256: digest.digest('hex'), head, tail: Buffer.concat(last) }
}

function compare(from: Store, path: string, { size, sha256 }: Ends, expected: Expected): void {
  if (size !== expected.size) throw differs(from, path, `${size} bytes`, `${expected.size}`)
  if (expected.sha256 !== undefined && sha256 !== expected.sha256)
    throw differs(from, path, `SHA-256 ${sha256}`, expected.sha256)
}

async function proveParquet(from: Store, path: string, { size, head, tail }: Ends): Promise<void> {
  // Loaded by who needs it: every thread would pay for it at its start.
  const { checkParquet, footerSize } = await import('../format/parquet.js')
  const length = footerSize(tail, size)
  const whole = length <= tail.length ? tail : await readFrom(from, path, size - length)
  checkParquet(head, whole.subarray(whole.length - length), size)
}

async function readFrom(from: Store, path: string, start: number): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of await from.read(path, { start })) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

function differs(from: Store, path: string, found: string, expected: string): ServiceError {
  const message = `cannot verify ${from.url}/${path}: it has ${found}, ${expected} was expected`
  return new ServiceError('INTEGRITY', message, { verb: 'read', path, expected, found })
}

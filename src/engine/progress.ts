import { type ErrorCode, ServiceError } from '../errors.js'

const counters = ['files', 'bytes', 'serverSide', 'reusedFiles', 'reusedBytes', 'unchanged'] as const
type Counter = (typeof counters)[number]
const counterBytes = counters.length * BigInt64Array.BYTES_PER_ELEMENT

const stops = {
  CANCELLED: 'the operation was cancelled',
  INTERRUPTED: 'interrupted',
  LOCK_LOST: 'another writer took the lock of a place that this operation writes to',
  TIMEOUT: 'the operation took longer than backup.operation_timeout allows',
} as const satisfies Partial<Record<ErrorCode, string>>
export type StopReason = keyof typeof stops
/** Bytes. */
const flushAt = 1 << 20
const reasons = Object.keys(stops) as StopReason[]

/**
 * The counters of one operation, shared by every thread: workers add, whoever wants to know reads. No messages, no timers.
 * `files` and `bytes` (in place so far), how many of the files a store copied by itself, what an earlier backup had of them, and how many were in place before, only; totals and outcomes are the engine's.
 */
export class Progress {
  /** Goes to the worker threads with each task. */
  readonly buffer: SharedArrayBuffer
  readonly #counters: BigInt64Array
  /** One cell of its own type: it is read for every file, and a BigInt would be garbage each time. */
  readonly stopCell: Int32Array

  constructor(buffer = new SharedArrayBuffer(counterBytes + Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer
    this.#counters = new BigInt64Array(buffer, 0, counters.length)
    this.stopCell = new Int32Array(buffer, counterBytes, 1)
  }

  /** @param count may be negative: a file that is read again steps the counters back. */
  add(counter: Counter, count: number): void {
    Atomics.add(this.#counters, counters.indexOf(counter), BigInt(count))
  }

  read(counter: Counter): number {
    return Number(Atomics.load(this.#counters, counters.indexOf(counter)))
  }

  /** Asks every thread to end. The first reason stands. */
  stop(reason: StopReason): void {
    Atomics.compareExchange(this.stopCell, 0, 0, reasons.indexOf(reason) + 1)
  }

  get stopped(): StopReason | null {
    return reasons[Atomics.load(this.stopCell, 0) - 1] ?? null
  }

  /** Throws the reason if the operation is to end. */
  check(): void {
    if (Atomics.load(this.stopCell, 0) === 0) return
    const reason = this.stopped
    if (reason) throw new ServiceError(reason, stops[reason])
  }
}

/** Counts what one thread does to a batch, and passes it on now and then: an atomic addition for every small file is felt. */
export class BatchProgress {
  readonly #progress: Progress
  #files = 0
  #bytes = 0
  #serverSide = 0
  #reusedFiles = 0
  #reusedBytes = 0
  #unchanged = 0

  constructor(progress: Progress) {
    this.#progress = progress
  }

  addBytes(count: number): void {
    this.#bytes += count
    if (this.#bytes >= flushAt) this.flush()
  }

  addFile(serverSide = false): void {
    this.#files += 1
    if (serverSide) this.#serverSide += 1
  }

  addUnchanged(): void {
    this.#unchanged += 1
  }

  addReused(bytes: number): void {
    this.#reusedFiles += 1
    this.#reusedBytes += bytes
    this.addBytes(bytes)
  }

  flush(): void {
    if (this.#files !== 0) this.#progress.add('files', this.#files)
    if (this.#bytes !== 0) this.#progress.add('bytes', this.#bytes)
    if (this.#serverSide !== 0) this.#progress.add('serverSide', this.#serverSide)
    if (this.#reusedFiles !== 0) this.#progress.add('reusedFiles', this.#reusedFiles)
    if (this.#reusedBytes !== 0) this.#progress.add('reusedBytes', this.#reusedBytes)
    if (this.#unchanged !== 0) this.#progress.add('unchanged', this.#unchanged)
    this.#unchanged = 0
    this.#serverSide = 0
    this.#files = 0
    this.#bytes = 0
    this.#reusedFiles = 0
    this.#reusedBytes = 0
  }
}

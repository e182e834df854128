import { type ErrorCode, ServiceError } from '../errors.js'

const cells = ['files', 'bytes', 'stop'] as const
type Cell = (typeof cells)[number]

const stops = {
  CANCELLED: 'the operation was cancelled',
  INTERRUPTED: 'interrupted',
  TIMEOUT: 'the operation took longer than backup.operation_timeout allows',
} as const satisfies Partial<Record<ErrorCode, string>>
export type StopReason = keyof typeof stops
const reasons = Object.keys(stops) as StopReason[]

/**
 * The counters of one operation, shared by every thread: workers add, whoever wants to know reads. No messages, no timers.
 * `files` and `bytes` (moved so far) only; totals and outcomes are the engine's.
 */
export class Progress {
  /** Goes to the worker threads with each task. */
  readonly buffer: SharedArrayBuffer
  readonly #cells: BigInt64Array

  constructor(buffer = new SharedArrayBuffer(cells.length * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer
    this.#cells = new BigInt64Array(buffer)
  }

  /** @param count may be negative: a file that is read again steps the counters back. */
  add(cell: Exclude<Cell, 'stop'>, count: number): void {
    Atomics.add(this.#cells, cells.indexOf(cell), BigInt(count))
  }

  read(cell: Exclude<Cell, 'stop'>): number {
    return Number(Atomics.load(this.#cells, cells.indexOf(cell)))
  }

  /** Asks every thread to end. The first reason stands. */
  stop(reason: StopReason): void {
    Atomics.compareExchange(this.#cells, cells.indexOf('stop'), 0n, BigInt(reasons.indexOf(reason) + 1))
  }

  get stopped(): StopReason | null {
    return reasons[Number(Atomics.load(this.#cells, cells.indexOf('stop'))) - 1] ?? null
  }

  /** Throws the reason if the operation is to end. */
  check(): void {
    const reason = this.stopped
    if (reason) throw new ServiceError(reason, stops[reason])
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Check } from './bandwidth.js'

/** How often who waits looks (ms): files that are worth waiting for take longer. */
const glance = 5
const kib = 1024

const [usedAt, turnAt, limitAt] = [0, 1, 2]

/**
 * Memory that files on their way may take, over all threads of this process. Each file takes what it needs in one go before its first byte moves, and nothing more afterwards; so who has some
 * never waits for more, and all of it comes back. A file that needs more than there is gets all there is, alone: one file always goes.
 */
export class MemoryBudget {
  /** Goes to the threads. */
  readonly buffer: SharedArrayBuffer
  /** KiB that are taken; does somebody wait who is the next one; KiB that there are. */
  readonly #cells: Int32Array
  /** In a thread one waits at a time, in order. */
  #line: Promise<unknown> | null = null

  /** @param limit bytes, or the buffer of another thread's */
  constructor(limit: number | SharedArrayBuffer) {
    this.buffer = typeof limit === 'number' ? new SharedArrayBuffer(12) : limit
    this.#cells = new Int32Array(this.buffer)
    if (typeof limit === 'number') this.#cells[limitAt] = Math.max(1, Math.floor(limit / kib))
  }

  /** Bytes. */
  get limit(): number {
    return Atomics.load(this.#cells, limitAt) * kib
  }

  /** Bytes that are taken. */
  get used(): number {
    return Atomics.load(this.#cells, usedAt) * kib
  }

  /**
   * Resolves as soon as there is so much. Whoever waits first is served first, however little the others want: a large file must not wait until no small one is left.
   *
   * @returns bytes taken, to be given back: as many as asked for, or all there are
   * @throws what `check` throws
   */
  async take(bytes: number, check: Check): Promise<number> {
    const wanted = Math.min(Math.ceil(bytes / kib), Atomics.load(this.#cells, limitAt))
    if (this.#line === null && Atomics.load(this.#cells, turnAt) === 0 && this.#tryToTake(wanted)) return wanted * kib
    const before = this.#line ?? Promise.resolve()
    const taken = before.then(() => this.#wait(wanted, check))
    const line = taken
      .catch(() => {})
      .then(() => {
        if (this.#line === line) this.#line = null
      })
    this.#line = line
    await taken
    return wanted * kib
  }

  /** Does something with so much memory, or all there is. */
  async within<T>(bytes: number, check: Check, action: (taken: number) => Promise<T>): Promise<T> {
    const taken = await this.take(bytes, check)
    try {
      return await action(taken)
    } finally {
      this.giveBack(taken)
    }
  }

  giveBack(bytes: number): void {
    for (;;) {
      const used = Atomics.load(this.#cells, usedAt)
      // Never below nothing: after a `forget` others still have theirs.
      const left = Math.max(0, used - bytes / kib)
      if (Atomics.compareExchange(this.#cells, usedAt, used, left) === used) return
    }
  }

  /** After the death of a thread: what it had is nobody's. What the others have is more than the limit then, until it has come back. */
  forget(): void {
    Atomics.store(this.#cells, usedAt, 0)
    Atomics.store(this.#cells, turnAt, 0)
  }

  async #wait(wanted: number, check: Check): Promise<void> {
    while (Atomics.compareExchange(this.#cells, turnAt, 0, 1) !== 0) await pause(check)
    try {
      while (!this.#tryToTake(wanted)) await pause(check)
    } finally {
      Atomics.store(this.#cells, turnAt, 0)
    }
  }

  #tryToTake(wanted: number): boolean {
    for (;;) {
      const used = Atomics.load(this.#cells, usedAt)
      if (used + wanted > Atomics.load(this.#cells, limitAt)) return false
      if (Atomics.compareExchange(this.#cells, usedAt, used, used + wanted) === used) return true
    }
  }
}

async function pause(check: Check): Promise<void> {
  check()
  await sleep(glance)
}

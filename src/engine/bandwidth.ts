import { setTimeout as sleep } from 'node:timers/promises'

const second = 1_000_000_000n
/** What was not used of the rate can be made up for so long (ns): a thread that the system kept waiting loses nothing. */
const memory = 200_000_000n
/** Threads take turns of so much of the rate, in seconds: each gets as much as the others, whatever the size of its files. */
const turn = 0.005
/** How often who waits looks whether it is still wanted (ms). */
const glance = 200

const [rateAt, freeAt] = [0, 1]
const [versionAt, countAt] = [0, 1]

/** Throws when what waits is not wanted any more. */
export type Check = () => void

/**
 * Bytes a second, over all threads of this process. In shared memory there is one time from which on the rate is free; a thread that wants its turn moves it on, and waits
 * until what it was before. No lock, nobody in charge, and a new rate holds from the next turn on.
 */
export class Bandwidth {
  /** Goes to the threads. */
  readonly buffer: SharedArrayBuffer
  /** Bytes a second, and the time (ns of the system's monotonic clock) from which on it is free. */
  readonly #cells: BigInt64Array
  /** 0 while there is no limit, another number for each one that is set; and how many were set. */
  readonly #version: Int32Array
  /** Bytes that this thread may still move, under the limit of that version. */
  #credit = 0
  #seen = 0
  /** In a thread one waits at a time, in order. */
  #line: Promise<void> = Promise.resolve()

  constructor(buffer = new SharedArrayBuffer(24)) {
    this.buffer = buffer
    this.#cells = new BigInt64Array(buffer, 0, 2)
    this.#version = new Int32Array(buffer, 16, 2)
  }

  /** Bytes a second, or null. */
  get limit(): number | null {
    return Atomics.load(this.#version, versionAt) === 0 ? null : Number(Atomics.load(this.#cells, rateAt))
  }

  /** Holds at once, also for who waits. @param limit whole bytes a second above 0, or null for none */
  set(limit: number | null): void {
    if (limit === null) {
      Atomics.store(this.#version, versionAt, 0)
    } else {
      const [now, before, rate] = [process.hrtime.bigint(), this.limit, BigInt(limit)]
      const owed = Atomics.load(this.#cells, freeAt) - now
      const free = before === null || owed < 0n ? now : now + (owed * BigInt(before)) / rate
      Atomics.store(this.#cells, rateAt, rate)
      Atomics.store(this.#cells, freeAt, free)
      Atomics.store(this.#version, versionAt, Atomics.add(this.#version, countAt, 1) + 1)
    }
    Atomics.notify(this.#version, versionAt)
  }

  /** Pays for bytes that were moved, and blocks its thread until that is allowed: for who moves files without a stream. @throws what `check` throws */
  spend(bytes: number, progress: { check: Check }): void {
    if (Atomics.load(this.#version, versionAt) === 0) return
    this.#owe(bytes)
    try {
      while (this.#owes()) {
        for (let wait = this.#takeTurn(); wait() > 0; progress.check()) {
          Atomics.wait(this.#version, versionAt, this.#seen, Math.min(wait(), glance))
        }
      }
    } catch (error) {
      this.#credit = 0
      throw error
    }
  }

  /** The same beside others in its thread: resolves when so many bytes may be moved. Undefined where there is no limit. */
  pay(bytes: number, check: Check): Promise<void> | undefined {
    if (Atomics.load(this.#version, versionAt) === 0) return undefined
    const paid = this.#line.then(async () => {
      check()
      this.#owe(bytes)
      while (this.#owes()) {
        for (let wait = this.#takeTurn(); wait() > 0; check()) await sleep(Math.min(wait(), glance))
      }
    })
    this.#line = paid.catch(() => {
      this.#credit = 0
    })
    return paid
  }

  #owe(bytes: number): void {
    this.#owes()
    this.#credit -= bytes
  }

  /** What is owed stays owed under another limit, and is forgotten with the last one. */
  #owes(): boolean {
    const version = Atomics.load(this.#version, versionAt)
    if (version === 0 || this.#seen === 0) this.#credit = 0
    this.#seen = version
    return this.#credit < 0
  }

  /** @returns how long it is until then, in ms; nothing once the limit is another */
  #takeTurn(): () => number {
    const { limit } = this
    if (limit === null) return () => 0
    const bytes = Math.ceil(limit * turn)
    this.#credit += bytes
    const cost = (BigInt(bytes) * second) / BigInt(limit)
    for (;;) {
      const [free, earliest] = [Atomics.load(this.#cells, freeAt), process.hrtime.bigint() - memory]
      const start = free > earliest ? free : earliest
      if (Atomics.compareExchange(this.#cells, freeAt, free, start + cost) !== free) continue
      return () => {
        if (Atomics.load(this.#version, versionAt) !== this.#seen) return 0
        return Number(start - process.hrtime.bigint()) / 1e6
      }
    }
  }
}

/** How an operation shares the machine with others: `low` gives way to whoever else wants cores and disks. */
export type Priority = 'normal' | 'low'

/** After so much work (ms) a thread of low priority rests for so long (ms): meanwhile disks, too, have time for others, which niceness does not see to. */
const stretch = 40
const pause = 10

const never = new Int32Array(new SharedArrayBuffer(4))

/** Makes a thread of low priority rest now and then. */
export class Rest {
  readonly #low: boolean
  readonly #now: () => number
  readonly #sleep: (ms: number) => void
  #since = 0

  /** @param now ms @param sleep blocks the thread for so many */
  constructor(
    priority: Priority,
    now = () => performance.now(),
    sleep = (ms: number): void => void Atomics.wait(never, 0, 0, ms),
  ) {
    this.#low = priority === 'low'
    this.#now = now
    this.#sleep = sleep
  }

  /** After a file, or a part of one. Blocks the thread. */
  after(): void {
    if (!this.#low || this.#now() - this.#since < stretch) return
    this.#sleep(pause)
    this.#since = this.#now()
  }
}

/** How an operation shares the machine with others: `low` gives way to whoever else wants cores and disks. */
export type Priority = 'normal' | 'low'

/** After so much work (ms) a thread of low priority rests for so long (ms): meanwhile disks, too, have time for others, which niceness does not see to. */
const stretch = 40
const pause = 10

/** Makes a thread of low priority rest now and then. */
export class Rest {
  readonly #low: boolean
  readonly #never = new Int32Array(new SharedArrayBuffer(4))
  #since = 0

  constructor(priority: Priority) {
    this.#low = priority === 'low'
  }

  /** After a file, or a part of one. Blocks the thread. */
  after(): void {
    if (!this.#low) return
    if (performance.now() - this.#since < stretch) return
    Atomics.wait(this.#never, 0, 0, pause)
    this.#since = performance.now()
  }
}

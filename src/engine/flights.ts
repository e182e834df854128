/** Files in flight in a thread to begin with: what did well with 20 ms added to each request (`npm run bench -- distance`). */
const startAt = 16
/** So many more are tried at a time, where there are as many already. */
const step = 4
/** Share of what more files in flight could bring at best that they must bring to stay, and share of all that it must be at least: less is chance. */
const worthwhile = 0.5
const beyondChance = 0.04
/** How long is measured between two looks (ms). */
const period = 1000
/** Periods in which nothing more is tried: after it brought nothing, and after the store asked for less. */
const restAfterNothing = 10
const restAfterLess = 3
/** Bytes that a request costs like, beside those it moves: so that a rate does not look higher because files are larger. */
const perFile = 1 << 17

const cells = { window: 0, before: 1, rateBefore: 2, rest: 3, full: 4, inFlight: 5, since: 6, cutAt: 7 } as const
type Cell = keyof typeof cells
const cellsPerStore = Object.keys(cells).length
const bytesPerStore = cellsPerStore * Int32Array.BYTES_PER_ELEMENT + BigInt64Array.BYTES_PER_ELEMENT

export interface FlightOptions {
  /** Names of the remote stores in the pool. */
  readonly stores: readonly string[]
  readonly threads: number
  /** Files in flight in a thread at most. */
  readonly most: number
}

/** How many files are on their way to or from a store. */
export interface Flight {
  /** Its name in the pool. */
  readonly store: string
  readonly files: number
  /** Most that may be at the moment. */
  readonly limit: number
}

/** What one task has in flight. */
export interface OpenFlight {
  /** How many files may be in flight now. */
  most(): number
  /** Does something with a file of so many bytes. */
  fly<T>(bytes: number, action: () => Promise<T>): Promise<T>
}

/**
 * How many files each remote store is given at once. Their number grows by a few while that brings more through (files and bytes a second), goes back where it brought nothing, and halves when
 * the store asks for less or does not answer in time. Counted in shared memory; who ends a file after the end of a period looks how it went. The numbers are those of one thread, and the same in
 * each: so no thread waits for another, and one file in each always goes.
 */
export class Flights {
  /** Goes to the threads. */
  readonly buffer: SharedArrayBuffer
  readonly #options: FlightOptions
  readonly #clock: () => number
  readonly #cells: Int32Array
  /** What came through in this period, by store. */
  readonly #done: BigInt64Array

  /** @param buffer of another thread's with the same options */
  constructor(options: FlightOptions, buffer?: SharedArrayBuffer, clock = systemClock) {
    const { stores, most } = options
    this.#options = options
    this.#clock = clock
    this.buffer = buffer ?? new SharedArrayBuffer(stores.length * bytesPerStore)
    this.#done = new BigInt64Array(this.buffer, 0, stores.length)
    this.#cells = new Int32Array(this.buffer, this.#done.byteLength)
    if (buffer) return
    for (const index of stores.keys()) {
      this.#settle(index, Math.min(startAt, most), 0)
      this.#set(index, 'since', clock())
      this.#set(index, 'cutAt', clock() - period)
    }
  }

  /** For a task whose files go between these stores; undefined where none of them is remote. */
  open(stores: readonly string[]): OpenFlight | undefined {
    const indexes = [...new Set(stores)].map((store) => this.#indexOf(store)).filter((index) => index >= 0)
    if (indexes.length === 0) return undefined
    let running = 0
    return {
      most: () => {
        let fewest = this.#options.most
        for (const index of indexes) {
          const window = this.#get(index, 'window')
          if (running >= window) this.#set(index, 'full', 1)
          if (window < fewest) fewest = window
        }
        return fewest
      },
      fly: async (bytes, action) => {
        running += 1
        for (const index of indexes) this.#add(index, 'inFlight', 1)
        let through = 0
        try {
          const outcome = await action()
          through = bytes + perFile
          return outcome
        } finally {
          running -= 1
          for (const index of indexes) {
            this.#add(index, 'inFlight', -1)
            Atomics.add(this.#done, index, BigInt(through))
            this.#look(index)
          }
        }
      },
    }
  }

  /** The store asked for less, or gave no answer in time: half as many. What else was under way then may be refused too, that counts once. */
  cut(store: string): void {
    const index = this.#indexOf(store)
    if (index < 0 || !this.#isOver(index, 'cutAt')) return
    this.#settle(index, Math.max(1, Math.floor(this.#get(index, 'window') / 2)), restAfterLess)
  }

  read(): Flight[] {
    const { stores, threads } = this.#options
    return stores.map((store, index) => ({
      store,
      files: this.#get(index, 'inFlight'),
      limit: this.#get(index, 'window') * threads,
    }))
  }

  #look(index: number): void {
    const since = this.#get(index, 'since')
    if (!this.#isOver(index, 'since')) return
    const ms = (this.#get(index, 'since') - since) | 0
    const through = Number(Atomics.exchange(this.#done, index, 0n))
    const full = Atomics.exchange(this.#cells, this.#at(index, 'full'), 0) === 1
    // Nothing was to be done in between, or there were not enough files to tell.
    if (ms > 3 * period || !full) return
    const rate = Math.round(through / ms)
    const [window, before, rest] = [this.#get(index, 'window'), this.#get(index, 'before'), this.#get(index, 'rest')]
    if (window > before && rate < this.#get(index, 'rateBefore') * leastGain(before, window)) {
      this.#settle(index, before, restAfterNothing)
      return
    }
    this.#set(index, 'before', window)
    this.#set(index, 'rateBefore', rate)
    this.#set(index, 'rest', Math.max(0, rest - 1))
    if (rest === 0) this.#set(index, 'window', Math.min(window + Math.min(step, window), this.#options.most))
  }

  /** Stays there for a while. */
  #settle(index: number, window: number, rest: number): void {
    this.#set(index, 'window', window)
    this.#set(index, 'before', window)
    this.#set(index, 'rest', rest)
  }

  /** Is a period over since then? To one thread only; the next one begins. */
  #isOver(index: number, cell: Cell): boolean {
    const [now, since] = [this.#clock(), this.#get(index, cell)]
    if (((now - since) | 0) < period) return false
    return Atomics.compareExchange(this.#cells, this.#at(index, cell), since, now) === since
  }

  #indexOf(store: string): number {
    return this.#options.stores.indexOf(store)
  }

  #get(index: number, cell: Cell): number {
    return Atomics.load(this.#cells, this.#at(index, cell))
  }

  #set(index: number, cell: Cell, value: number): void {
    Atomics.store(this.#cells, this.#at(index, cell), value)
  }

  #add(index: number, cell: Cell, value: number): void {
    Atomics.add(this.#cells, this.#at(index, cell), value)
  }

  #at(index: number, cell: Cell): number {
    return index * cellsPerStore + cells[cell]
  }
}

function leastGain(before: number, window: number): number {
  return 1 + Math.max(beyondChance, ((window - before) / before) * worthwhile)
}

/** Ms of the system's monotonic clock, the same in all threads; what is left of them in 32 bits. */
function systemClock(): number {
  return Number(BigInt.asIntN(32, process.hrtime.bigint() / 1_000_000n))
}

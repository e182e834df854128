import type { ServiceError } from '../errors.js'
import { keepAtMost } from '../stores/blocks.js'
import type { StoreConfig } from '../stores/open.js'
import { observeRetries } from '../stores/retry.js'
import type { Store } from '../stores/store.js'
import { Bandwidth, type Check } from './bandwidth.js'
import { type FlightOptions, Flights } from './flights.js'
import { MemoryBudget } from './memory-budget.js'
import { type Priority, Rest } from './rest.js'

/** As they are configured. */
export interface LimitSettings {
  /** Bytes that files on their way may take. */
  readonly memory: number
  /** Bytes a second to begin with, or null for no limit. */
  readonly bandwidth: number | null
  readonly priority: Priority
}

export interface LimitOptions extends FlightOptions, LimitSettings {}

/** What threads need to share the limits of their process: a plain value. */
export interface LimitData extends LimitOptions {
  readonly buffers: {
    readonly bandwidth: SharedArrayBuffer
    readonly memory: SharedArrayBuffer
    readonly flights: SharedArrayBuffer
  }
}

/** Of the memory limit, what threads may keep of buffers that nobody needs at the moment; and the most that is any use to one of them (bytes). */
const keptShare = 1 / 4
const mostKept = 32 << 20

/** Limits as they are at the moment: bytes, and bytes a second. */
export interface LimitStatus extends LimitSettings {
  readonly workers: number
}

/** How much of the machine all operations of this process may take together. */
export class Limits {
  readonly bandwidth: Bandwidth
  readonly memory: MemoryBudget
  readonly flights: Flights
  readonly #rest: Rest
  readonly #options: LimitOptions

  constructor(options: LimitOptions | LimitData) {
    const buffers = 'buffers' in options ? options.buffers : undefined
    this.#options = options
    this.bandwidth = new Bandwidth(buffers?.bandwidth)
    this.memory = new MemoryBudget(buffers?.memory ?? options.memory - keptInThread(options) * options.threads)
    this.flights = new Flights(options, buffers?.flights)
    this.#rest = new Rest(options.priority)
    if (buffers) keepAtMost(keptInThread(options))
    else this.bandwidth.set(options.bandwidth)
  }

  /** For the threads. */
  get data(): LimitData {
    const { bandwidth, memory, flights } = this
    return {
      ...this.#options,
      buffers: { bandwidth: bandwidth.buffer, memory: memory.buffer, flights: flights.buffer },
    }
  }

  read(): LimitStatus {
    const { priority, memory, threads } = this.#options
    return { priority, memory, bandwidth: this.bandwidth.limit, workers: threads }
  }

  /** After so many bytes from disk to disk: blocks the thread for as long as it has to stand back. @throws what `check` throws */
  pace(bytes: number, progress: { check: Check }): void {
    this.bandwidth.spend(bytes, progress)
    this.#rest.after()
  }

  /** In low priority: blocks the thread for a moment now and then. */
  rest(): void {
    this.#rest.after()
  }

  /** Cuts the number of files in flight when this store asks for less. @returns ends that */
  watch(name: string, { url }: Pick<Store, 'url'>): () => void {
    return observeRetries(({ code, detail }: ServiceError) => {
      if (detail.store === url && (code === 'THROTTLED' || code === 'STORE_TIMEOUT')) this.flights.cut(name)
    })
  }
}

/** Those of a process with these stores. */
export function limitsOf(
  { settings, workers, limits }: { settings: { transfers: number }; workers: number; limits: LimitSettings },
  stores: Readonly<Record<string, StoreConfig>>,
): Limits {
  const remote = Object.keys(stores).filter((name) => stores[name]?.kind !== 'local')
  return new Limits({ ...limits, stores: remote, threads: workers, most: settings.transfers })
}

function keptInThread({ memory, threads }: LimitOptions): number {
  return Math.min(mostKept, Math.floor((memory * keptShare) / threads))
}

import type { Latency, RetryCount } from '../stores/meters.js'
import type { Flight } from './flights.js'

export { latencyBounds } from '../stores/meters.js'

/** How the threads and the stores do, since the start of the process. */
export interface Measures {
  /** Threads that move files. */
  readonly workers: number
  /** Tasks that wait for a thread. */
  readonly queued: number
  readonly retries: readonly RetryCount[]
  readonly latencies: readonly Latency[]
  readonly flights: readonly Flight[]
}

/** Bytes at the file system of a target. */
export interface TargetSpace {
  readonly target: string
  readonly free: number
  readonly capacity: number
}

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** How late the event loop's timers were, in ms. */
export interface LoopDelay {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const resolution = 5

// Loaded into a service by `--import`, which reaches its threads, too. Tells its parent process about the time since the last question.
if (isMainThread && process.send) {
  const histogram = monitorEventLoopDelay({ resolution })
  histogram.enable()
  process.on('message', () => {
    // The histogram counts the period itself as delay.
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution)
    const delay: LoopDelay = {
      p50: late(histogram.percentile(50)),
      p99: late(histogram.percentile(99)),
      max: late(histogram.max),
    }
    histogram.reset()
    process.send?.(delay)
  })
  // It is no reason for the service to live.
  process.channel?.unref()
}

import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** How late the event loop's timers were, in ms, and whose fault that was. */
export interface LoopDelay {
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Most CPU time of the thread between two timers, in ms: what it can have been blocked by its own work. */
  readonly busy: number
  /** Share of the time (0..1) in which the thread could have run but had no core. */
  readonly waited: number
}

const resolution = 5

// Loaded into a service by `--import`, which reaches its threads, too. Tells its parent process about the time since the last question.
if (isMainThread && process.send) {
  const histogram = monitorEventLoopDelay({ resolution })
  histogram.enable()
  let [from, began] = [mainThread(), performance.now()]
  let [last, busy] = [from.ran, 0]
  setInterval(() => {
    const { ran } = mainThread()
    busy = Math.max(busy, ran - last)
    last = ran
  }, resolution).unref()
  process.on('message', () => {
    // The histogram counts the period itself as delay.
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution)
    const [now, time] = [mainThread(), performance.now()]
    const delay: LoopDelay = {
      p50: late(histogram.percentile(50)),
      p99: late(histogram.percentile(99)),
      max: late(histogram.max),
      busy,
      waited: (now.waited - from.waited) / (time - began),
    }
    histogram.reset()
    ;[from, began, busy] = [now, time, 0]
    process.send?.(delay)
  })
  // It is no reason for the service to live.
  process.channel?.unref()
}

/** Ms that the main thread has run, and that it has waited for a core. */
function mainThread(): { ran: number; waited: number } {
  const [ran = 0, waited = 0] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ').map(Number)
  return { ran: ran / 1e6, waited: waited / 1e6 }
}

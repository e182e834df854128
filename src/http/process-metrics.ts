import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { version } from '../version.js'
import { latencyHistogram } from './latency-histogram.js'
import type { MetricRegistry, Sample } from './metric-registry.js'
import type { Operations } from './operations.js'

const percentiles = [50, 99, 100]

/** How the process, its threads and the stores do. */
export class ProcessMetrics {
  readonly #delay: IntervalHistogram

  constructor(operations: Operations, registry: MetricRegistry) {
    this.#delay = monitorEventLoopDelay({ resolution: 20 })
    this.#delay.enable()
    const measures = () => operations.measures()
    const one = (name: string, help: string, read: () => number) => registry.gauge(name, help, [], () => [[{}, read()]])
    registry.gauge('arc_backup_build_info', 'The version that runs', ['version'], () => [[{ version }, 1]])
    one('arc_backup_pool_threads', 'Threads that move files', () => measures().workers)
    one('arc_backup_pool_queue_length', 'Tasks that wait for a thread', () => measures().queued)
    registry.gauge(
      'arc_backup_event_loop_delay_seconds',
      'How late the main thread was since the last scrape',
      ['percentile'],
      () => {
        const found = percentiles.map(
          (percentile): Sample<'percentile'> => [
            { percentile: `${percentile}` },
            this.#delay.count === 0 ? 0 : this.#delay.percentile(percentile) / 1e9,
          ],
        )
        this.#delay.reset()
        return found
      },
    )
    registry.counter(
      'arc_backup_store_retries_total',
      'Requests to stores that were made again',
      ['store', 'code'],
      () => measures().retries.map(({ store, code, count }) => [{ store, code }, count]),
    )
    registry.counter(
      'arc_backup_store_throttles_total',
      'Answers of stores that asked for fewer requests',
      ['store'],
      () =>
        measures()
          .retries.filter(({ code }) => code === 'THROTTLED')
          .map(({ store, count }) => [{ store }, count]),
    )
    registry.gauge('arc_backup_store_files_in_flight', 'Files on their way to and from a remote store', ['store'], () =>
      measures().flights.map(({ store, files }) => [{ store }, files]),
    )
    registry.gauge('arc_backup_store_files_in_flight_limit', 'Most that may be at the moment', ['store'], () =>
      measures().flights.map(({ store, limit }) => [{ store }, limit]),
    )
    const latency = 'arc_backup_store_request_duration_seconds'
    registry.add(latencyHistogram(latency, 'How long stores took', () => measures().latencies))
    // Under the names that every exporter has.
    const startedAt = performance.timeOrigin / 1000
    one('process_start_time_seconds', 'Start of the process', () => startedAt)
    one('process_resident_memory_bytes', 'Memory of the process', () => process.memoryUsage.rss())
    registry.counter('process_cpu_seconds_total', 'CPU time of the process, all threads', [], () => {
      const { user, system } = process.cpuUsage()
      return [[{}, (user + system) / 1e6]]
    })
  }

  close(): void {
    this.#delay.disable()
  }
}

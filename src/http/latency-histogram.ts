import { Histogram } from 'prom-client'
import { latencyBounds, type Measures } from '../engine/measures.js'

/** A histogram whose classes the threads count: prom-client's own counts in the main thread only. */
export class LatencyHistogram extends Histogram<'store' | 'action'> {
  readonly #name: string
  readonly #read: () => Measures['latencies']

  constructor(name: string, help: string, read: () => Measures['latencies']) {
    super({ name, help, labelNames: ['store', 'action'], buckets: [...latencyBounds], registers: [] })
    this.#name = name
    this.#read = read
  }

  override async get() {
    const values = this.#read().flatMap(({ store, action, counts, seconds }) => {
      const labels = { store, action }
      let total = 0
      const buckets = counts.map((count, index) => {
        total += count
        return {
          metricName: `${this.#name}_bucket`,
          labels: { ...labels, le: latencyBounds[index] ?? '+Inf' },
          value: total,
        }
      })
      if (total === 0) return []
      return [
        ...buckets,
        { metricName: `${this.#name}_sum`, labels, value: seconds },
        { metricName: `${this.#name}_count`, labels, value: total },
      ]
    })
    return { ...(await super.get()), values }
  }
}

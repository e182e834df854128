import type { Metric } from 'prom-client'
import { latencyBounds, type Measures } from '../engine/measures.js'

/** A histogram whose classes the threads count: prom-client's own counts in the main thread only. A registry asks a metric for no more than this. */
export function latencyHistogram(name: string, help: string, read: () => Measures['latencies']): Metric {
  const get = async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: linesOf(name, read()) })
  return { name, get } as unknown as Metric
}

function linesOf(name: string, latencies: Measures['latencies']) {
  return latencies.flatMap(({ store, action, counts, seconds }) => {
    const labels = { store, action }
    let total = 0
    const buckets = counts.map((count, index) => {
      total += count
      return { metricName: `${name}_bucket`, labels: { ...labels, le: latencyBounds[index] ?? '+Inf' }, value: total }
    })
    if (total === 0) return []
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: seconds },
      { metricName: `${name}_count`, labels, value: total },
    ]
  })
}

import { Registry } from 'prom-client'
import t from 'tap'
import { latencyBounds, type Measures } from '../../src/engine/measures.js'
import { latencyHistogram } from '../../src/http/latency-histogram.js'

t.test('classes add up, as Prometheus wants them; what never happened has no line', async (t) => {
  const counts = [...latencyBounds.map((_, index) => (index < 2 ? index + 1 : 0)), 4]
  const latencies = [
    { store: 'storage', action: 'read', counts, seconds: 12.5 },
    { store: 'storage', action: 'write', counts: counts.map(() => 0), seconds: 0 },
  ] as unknown as Measures['latencies']
  const registry = new Registry()
  registry.registerMetric(latencyHistogram('x_seconds', 'How long.', () => latencies))
  const lines = (await registry.metrics()).split('\n')
  const of = (name: string): string[] => lines.filter((line) => line.startsWith(`x_seconds_${name}{`))
  t.ok(lines.includes('# TYPE x_seconds histogram'))
  t.equal(of('bucket').length, latencyBounds.length + 1)
  t.same(
    of('bucket').map((line) => Number(line.split(' ')[1])),
    [1, ...latencyBounds.slice(1).map(() => 3), 7],
  )
  t.match(of('bucket').at(-1), /le="\+Inf"/)
  t.same(
    [...of('sum'), ...of('count')],
    ['x_seconds_sum{store="storage",action="read"} 12.5', 'x_seconds_count{store="storage",action="read"} 7'],
  )
})

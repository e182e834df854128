import { availableParallelism, cpus, loadavg, release } from 'node:os'

/** What else a time depends on: `2 cores (AMD EPYC), Linux 6.1, Node 20.20.0, load average 0.31 before`. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim()
  const load = loadavg()[0]?.toFixed(2)
  return `${availableParallelism()} cores${model ? ` (${model})` : ''}, Linux ${release()}, Node ${process.versions.node}, load average ${load} before`
}

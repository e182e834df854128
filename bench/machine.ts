import { availableParallelism, loadavg } from 'node:os'

/** What else a time depends on: `2 cores, load average 0.31 before`. */
export function describeMachine(): string {
  return `${availableParallelism()} cores, load average ${loadavg()[0]?.toFixed(2)} before`
}

import { setTimeout as sleep } from 'node:timers/promises'

/** The time; a test has its own. */
export interface Clock {
  /** Ms since the epoch. */
  now(): number
  /** Resolves after so many ms, or when the signal says so. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal, ref: false }).catch(() => {}),
}

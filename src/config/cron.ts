import { Cron } from 'croner'

/** When something is due next, after an instant; both in ms since the epoch. Null: never again. */
export type NextDue = (after: number) => number | null

/**
 * A cron expression of five fields, or of six that begin with seconds, by the clock on the wall in a time zone. A time of day that the clock skips is due as soon as
 * it has been put forward, one that it shows twice the first time only; what is due "every so many" minutes or hours goes by what the clock shows.
 *
 * @returns undefined for what is none, or is never due
 */
export function parseCron(written: string, timezone: string): NextDue | undefined {
  let cron: Cron
  try {
    cron = new Cron(written, { timezone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard', paused: true })
    if (cron.nextRun(new Date(0)) === null) return undefined
  } catch {
    return undefined
  }
  return (after) => cron.nextRun(new Date(after))?.getTime() ?? null
}

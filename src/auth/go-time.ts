/**
 * Text forms that Arc's SQLite driver reads; no offset means UTC. As in Go, an hour may have one digit, a fraction any number behind point or comma,
 * and an offset needs seconds before it.
 */
const pattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?(?:([+-])(\d{2}):(\d{2}))?)?)?$/
/** Above this an integer counts milliseconds, below it seconds. */
const millisecondsFrom = 1e12
const unreadable = Number.NEGATIVE_INFINITY

/**
 * A TIMESTAMP column as Arc's driver reads it, in ms since the epoch. What it can't read is Go's zero time, the year 1: so an unreadable expiry has passed.
 */
export function readGoTime(value: unknown): number {
  if (typeof value === 'number') {
    // The driver gives a REAL as a number, which is no time for Go.
    if (!Number.isSafeInteger(value)) return unreadable
    return Math.abs(value) > millisecondsFrom ? value : value * 1000
  }
  const found = typeof value === 'string' ? pattern.exec(value.replace(/Z$/, '')) : null
  if (!found) return unreadable
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((text) => Number(text ?? 0))
  const [fraction = '', sign] = found.slice(7)
  const [offsetHours = 0, offsetMinutes = 0] = found.slice(9).map((text) => Number(text ?? 0))
  // Date.UTC takes the year 1 for 1901.
  const date = new Date(new Date(0).setUTCFullYear(year, month - 1, day))
  // Date takes February 30 for March 2, and 24:00 for the next day; Go refuses both.
  const isReal = date.getUTCDate() === day && date.getUTCMonth() === month - 1
  if (!isReal || hour > 23 || minute > 59 || second > 59 || offsetHours > 24 || offsetMinutes > 60) return unreadable
  const offset = (sign === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes)
  const milliseconds = Number(fraction.padEnd(3, '0').slice(0, 3))
  return date.getTime() + ((hour * 60 + minute - offset) * 60 + second) * 1000 + milliseconds
}

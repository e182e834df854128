/** Text forms that Arc's SQLite driver reads; no offset means UTC. */
const pattern = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?([+-]\d{2}:\d{2})?)?$/
/** Above this an integer counts milliseconds, below it seconds. */
const millisecondsFrom = 1e12

/**
 * A TIMESTAMP column as Arc's driver reads it, in ms since the epoch. What it can't read is Go's zero time, the year 1: so an unreadable expiry has passed.
 */
export function readGoTime(value: unknown): number {
  if (typeof value === 'number') return Math.abs(value) > millisecondsFrom ? value : value * 1000
  const found = typeof value === 'string' ? pattern.exec(value.replace(/Z$/, '')) : null
  if (!found) return Number.NEGATIVE_INFINITY
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', offset = 'Z'] = found
  const time = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${offset}`,
  )
  // Date.parse takes February 30 for March 2; Go refuses it.
  const isReal = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  return Number.isNaN(time) || !isReal ? Number.NEGATIVE_INFINITY : time
}

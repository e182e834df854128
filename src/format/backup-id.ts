import { randomBytes } from 'node:crypto'

const idPattern = /^backup-\d{8}-\d{6}-[a-f0-9]{8}$/

/** `backup-YYYYMMDD-HHMMSS-<8 hex>` in UTC, as Arc names its backups. */
export function newBackupId(now: Date): string {
  const [date, time] = now.toISOString().slice(0, 19).split('T')
  return `backup-${date?.replaceAll('-', '')}-${time?.replaceAll(':', '')}-${randomBytes(4).toString('hex')}`
}

/** Could this be the id of a backup? Clients check ids with the same expression. */
export function isBackupId(text: string): boolean {
  return idPattern.test(text)
}

/** What all ids of one second begin with. Whatever comes behind it is random, so that ids of one second are in no order. */
export function secondOf(id: string): string {
  return id.slice(0, 'backup-YYYYMMDD-HHMMSS'.length)
}

const nsPerSecond = 1_000_000_000n

/** RFC 3339 in UTC as Go prints it: up to nine digits of a second, none that is a trailing zero. A bigint is nanoseconds since the epoch. */
export function formatTime(time: Date | bigint): string {
  const ns = typeof time === 'bigint' ? time : BigInt(time.getTime()) * 1_000_000n
  let seconds = Number(ns / nsPerSecond)
  let fraction = Number(ns % nsPerSecond)
  if (fraction < 0) {
    seconds -= 1
    fraction += Number(nsPerSecond)
  }
  const whole = new Date(seconds * 1000).toISOString().slice(0, -5)
  return fraction === 0 ? `${whole}Z` : `${whole}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`
}

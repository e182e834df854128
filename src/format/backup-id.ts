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

import type { Body } from './backups.js'
import { formatSize } from './format-size.js'

/** Rows as aligned columns; the first row is the heading. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The answer of a list, for people. */
export function describeList(list: Body): string {
  const backups = Array.isArray(list.backups) ? (list.backups as Body[]) : []
  if (backups.length === 0) return 'no backups'
  const rows = backups.map((backup) => [
    String(backup.backup_id),
    String(backup.created_at),
    String(backup.total_files),
    formatSize(Number(backup.total_size_bytes)),
    String(backup.database_count),
    String(backup.skipped_files ?? 0),
  ])
  return formatTable([['BACKUP', 'CREATED', 'FILES', 'SIZE', 'DATABASES', 'SKIPPED'], ...rows])
}

/** How an operation ended, for people: one line, then warnings and what is missing. */
export function describeEnd(status: Body): string {
  const lines = [
    `${status.operation} ${status.backup_id}: ${status.outcome ?? status.status}, ${status.processed_files} files, ${formatSize(Number(status.processed_bytes ?? 0))}`,
  ]
  if (typeof status.error === 'string' && status.error !== '') lines.push(`error: ${status.error}`)
  for (const warning of strings(status.warnings)) lines.push(`warning: ${warning}`)
  for (const { path, message } of gaps(status.skipped_sample)) lines.push(`skipped: ${path}: ${message}`)
  for (const { path, message } of gaps(status.missing_sample)) lines.push(`missing: ${path}: ${message}`)
  return lines.join('\n')
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function gaps(value: unknown): { path: string; message: string }[] {
  return Array.isArray(value) ? (value as { path: string; message: string }[]) : []
}

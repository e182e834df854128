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
  const warnings = strings(list.warnings).map((warning) => `\nwarning: ${printable(warning)}`)
  if (backups.length === 0) return ['no backups', ...warnings].join('')
  const targets = new Set(backups.map(({ target }) => target)).size > 1
  const pins = backups.some(({ pinned }) => pinned === true)
  const rows = backups.map((backup) => [
    String(backup.backup_id),
    ...(targets ? [String(backup.target)] : []),
    String(backup.created_at),
    String(backup.total_files),
    formatSize(Number(backup.total_size_bytes)),
    String(backup.database_count),
    String(backup.skipped_files ?? 0),
    ...(pins ? [backup.pinned === true ? 'yes' : '-'] : []),
    backup.verified === undefined ? '-' : `${backup.verified} ${backup.verified_at}`,
  ])
  const heading = [
    'BACKUP',
    ...(targets ? ['TARGET'] : []),
    'CREATED',
    'FILES',
    'SIZE',
    'DATABASES',
    'SKIPPED',
    ...(pins ? ['PINNED'] : []),
    'VERIFIED',
  ]
  const table = formatTable([heading, ...rows])
  return [table, ...warnings].join('')
}

/** What a sweep removed, or would remove. */
export function describeSwept({ swept }: Body): string {
  const lines = (swept as { place: string; path: string; why: string }[]).map(
    ({ place, path, why }) => `${printable(`${place}/${path}`)}: ${why}`,
  )
  return lines.length === 0 ? 'nothing to sweep' : lines.join('\n')
}

/** How an operation ended, for people: one line, then warnings and what is missing. */
export function describeEnd(status: Body): string {
  const { processed_files: files, processed_bytes: bytes } = status
  const facts = [
    `${status.operation} ${status.backup_id ?? `of ${status.target}`}: ${status.outcome ?? status.status}`,
    // What is on record of an earlier process has no counts.
    ...(typeof files === 'number' ? [`${files} files`] : []),
    ...(typeof bytes === 'number' ? [formatSize(bytes)] : []),
  ]
  const lines = [facts.join(', ')]
  if (typeof status.error === 'string' && status.error !== '') lines.push(`error: ${status.error}`)
  for (const warning of strings(status.warnings)) lines.push(`warning: ${warning}`)
  for (const { path, message } of gaps(status.skipped_sample)) lines.push(`skipped: ${path}: ${message}`)
  for (const flaw of ['damaged', 'missing', 'unexpected']) {
    for (const { path, message } of gaps(status[`${flaw}_sample`])) lines.push(`${flaw}: ${path}: ${message}`)
  }
  lines.push(...keptLines(bodies(status.kept)))
  for (const id of strings(status.removed)) lines.push(`removed: ${id}`)
  for (const { backup_id: id, message } of bodies(status.failed)) lines.push(`not removed: ${id}: ${message}`)
  return lines.map(printable).join('\n')
}

/** The running or last operation, and what is scheduled. */
export function describeStatus(status: Body): string {
  const { schedule, ...operation } = status
  const lines: string[] = []
  if (isBody(schedule)) {
    const { next_run: next, cron, timezone, current_run: current, last_run: last } = schedule
    if (isBody(last)) lines.push(describeRun(last))
    if (isBody(current)) lines.push(`this run: due ${current.due_at}, under way`)
    lines.push(`next run: ${next ?? 'never'} (${cron}, ${timezone})`)
  }
  return [status.status === 'idle' ? 'idle' : describeEnd(operation), ...lines.map(printable)].join('\n')
}

function describeRun({ due_at: due, outcome, note, missed_runs: missed }: Body): string {
  const more = [Number(missed) > 0 ? `${missed} more were missed` : '', typeof note === 'string' ? note : '']
  return [`last run: due ${due}: ${outcome}`, ...more.filter((part) => part !== '')].join('; ')
}

/** What a prune would keep and remove. */
export function describeKept(plan: Body): string {
  const removed = bodies(plan.remove).map(({ backup_id: id }) => `remove ${id}`)
  const warnings = strings(plan.warnings).map((warning) => `warning: ${warning}`)
  const zone = `days begin in the time zone ${plan.timezone}`
  return [...keptLines(bodies(plan.keep)), ...removed, ...warnings, zone].map(printable).join('\n')
}

function keptLines(kept: readonly Body[]): string[] {
  return kept.map(({ backup_id: id, reasons }) => `keep ${id}: ${strings(reasons).join(', ')}`)
}

/** Names of files are others' work: none may move the cursor, or look like a line of ours. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function bodies(value: unknown): Body[] {
  return Array.isArray(value) ? (value as Body[]) : []
}

function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null
}

function gaps(value: unknown): { path: string; message: string }[] {
  return Array.isArray(value) ? (value as { path: string; message: string }[]) : []
}

import type { Body } from './backups.js'
import { formatSize } from './format-size.js'
import { formatTable, printable } from './table.js'

const files = [
  ['new', 'new'],
  ['changed', 'changed'],
  ['unchanged', 'unchanged'],
  ['kept', 'kept: not in the backup'],
  ['moved_aside', 'moved aside: not in the backup'],
] as const

interface Part {
  readonly name: string
  readonly path: string | null
  readonly action: string
  readonly why?: string
}

/** What a restore would do, for people. */
export function describePlan(plan: Body): string {
  const tallies = plan.files as Record<string, { files: number; bytes: number }>
  const space = plan.space as { needed_bytes: number; free_bytes: number | null; sufficient: boolean }
  const mixed = plan.mixed_partitions as { count: number; sample: string[] }
  const rows = files.map(([kind, label]) => {
    const { files: count = 0, bytes = 0 } = tallies[kind] ?? {}
    return [label, String(count), formatSize(bytes)]
  })
  const parts = [...(plan.databases as Part[]), plan.configuration as Part]
  const free = space.free_bytes === null ? '' : `, ${formatSize(space.free_bytes)} free`
  const lines = [
    formatTable([['FILES', 'COUNT', 'SIZE'], ...rows]),
    '',
    ...parts.map(({ name, path, action, why }) => printable(`${path ?? name}: ${action}${why ? ` (${why})` : ''}`)),
    `space: ${formatSize(space.needed_bytes)} needed${free}${space.sufficient ? '' : ': not enough'}`,
    ...(mixed.count > 0 ? [`partitions with compacted and raw files: ${mixed.count}`] : []),
    ...mixed.sample.map((partition) => printable(`  ${partition}`)),
    ...(plan.warnings as string[]).map((warning) => printable(`warning: ${warning}`)),
    `plan: ${String(plan.plan_id)}`,
  ]
  return lines.join('\n')
}

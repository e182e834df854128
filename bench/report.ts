import { mkdirSync, writeFileSync } from 'node:fs'
import { formatTable } from '../src/cli/table.js'
import { median, spread } from './statistics.js'

/** One contestant's runs of one step, beside the reference of the same runs. */
export interface Series {
  readonly name: string
  /** Seconds, CPU seconds, bytes. */
  readonly runs: readonly { readonly wall: number; readonly cpu: number; readonly memory: number }[]
}

/** One step of one set of files, as all contestants did it in turn. */
export interface Section {
  readonly title: string
  readonly files: number
  readonly bytes: number
  /** What the ratios are to: the first of the series. */
  readonly series: readonly Series[]
  /** Seconds that this machine can't go below, where that is known. */
  readonly limit?: number
  /** Milliseconds that ours spent in each phase, the median of the runs. */
  readonly phases?: Readonly<Record<string, number>>
}

/** A table of a section, for a terminal or for Markdown. */
export function rowsOf({ files, bytes, series, limit }: Section): string[][] {
  const [reference] = series
  const rows = series.map(({ name, runs }) => {
    const walls = runs.map(({ wall }) => wall)
    // Each run's own ratio: what disturbs one contestant is likely to disturb the others.
    const ratios = walls.map((wall, run) => wall / (reference?.runs[run]?.wall ?? Number.NaN))
    const memory = Math.max(...runs.map((run) => run.memory))
    return [
      name,
      spread(walls),
      spread(ratios),
      limit === undefined ? '' : (median(walls) / limit).toFixed(2),
      spread(runs.map(({ cpu }) => cpu)),
      memory > 0 ? (memory / 2 ** 20).toFixed(0) : '',
      (files / median(walls)).toFixed(0),
      (bytes / median(walls) / 2 ** 20).toFixed(0),
    ]
  })
  const heading = ['', 'wall s', `/ ${reference?.name}`, '/ limit', 'CPU s', 'peak MiB', 'files/s', 'MiB/s']
  return [heading, ...rows]
}

export function printSection(section: Section): void {
  console.log(`\n${section.title}`)
  console.log(formatTable(rowsOf(section)))
  if (section.phases) console.log(phasesLine(section.phases))
}

function phasesLine(phases: Readonly<Record<string, number>>): string {
  const named = Object.entries(phases).map(([name, ms]) => `${name} ${ms.toFixed(0)}`)
  return `arc-backup's phases, ms: ${named.join(', ')}`
}

/** Writes `report.json`, `report.md` and `report.svg` into a folder. */
export function writeReport(folder: string, machine: string, sections: readonly Section[]): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/report.json`, `${JSON.stringify({ machine, sections }, null, 2)}\n`)
  writeFileSync(`${folder}/report.md`, markdown(machine, sections))
  writeFileSync(`${folder}/report.svg`, chart(sections))
}

function markdown(machine: string, sections: readonly Section[]): string {
  const parts = sections.map((section) => {
    const [heading = [], ...rows] = rowsOf(section)
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
    const table = [line(heading), line(heading.map(() => '---')), ...rows.map(line)]
    const phases = section.phases ? ['', phasesLine(section.phases)] : []
    return [`### ${section.title}`, '', ...table, ...phases].join('\n')
  })
  return `${machine}. Medians, with the least and the greatest.\n\n${parts.join('\n\n')}\n`
}

const bar = { height: 16, gap: 4, left: 150, width: 420 }

/** Wall seconds of each contestant, relative to the reference, a group of bars for each section. */
function chart(sections: readonly Section[]): string {
  const shapes: string[] = []
  let y = 10
  for (const { title, series } of sections) {
    const walls = series.map(({ runs }) => median(runs.map(({ wall }) => wall)))
    const most = Math.max(...walls)
    shapes.push(`<text x="0" y="${y + 12}" font-weight="bold">${escapeXml(title)}</text>`)
    y += bar.height + bar.gap
    for (const [index, { name }] of series.entries()) {
      const wall = walls[index] ?? 0
      const fill = name.startsWith('arc-backup') ? '#2563eb' : '#94a3b8'
      const width = ((wall / most) * bar.width).toFixed(1)
      const ratio = (wall / (walls[0] ?? wall)).toFixed(2)
      shapes.push(
        `<text x="${bar.left - 6}" y="${y + 12}" text-anchor="end">${escapeXml(name)}</text>`,
        `<rect x="${bar.left}" y="${y}" width="${width}" height="${bar.height}" fill="${fill}"/>`,
        `<text x="${bar.left + Number(width) + 6}" y="${y + 12}">${wall.toFixed(2)} s, ${ratio} ×</text>`,
      )
      y += bar.height + bar.gap
    }
    y += bar.height
  }
  const size = `width="720" height="${y}" viewBox="0 0 720 ${y}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n${shapes.join('\n')}\n</svg>\n`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

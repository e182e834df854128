import { mkdirSync, writeFileSync } from 'node:fs'
import { formatTable } from '../src/cli/table.js'
import { drawChart } from './chart.js'
import { median, spread } from './statistics.js'

/** One run of one contestant: seconds, CPU seconds, those of the whole machine, bytes of memory at most, CPU seconds of the store's server where there is one. */
export interface Measured {
  readonly wall: number
  readonly cpu: number
  readonly machine?: number
  readonly memory: number
  readonly server?: number
}

/** One contestant's runs of one step, beside the reference of the same runs. */
export interface Series {
  readonly name: string
  readonly runs: readonly Measured[]
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
  /** The same with what the kernel does in threads of its own, which is nobody's CPU time and takes a core all the same. */
  readonly fullLimit?: number
  /** Milliseconds that ours spent in each phase, the median of the runs. */
  readonly phases?: Readonly<Record<string, number>>
}

/** A table of a section, for a terminal or for Markdown. */
export function rowsOf({ files, bytes, series, limit, fullLimit }: Section): string[][] {
  const [reference] = series
  const served = series.some(({ runs }) => runs.some(({ server = 0 }) => server > 0))
  const counted = series.some(({ runs }) => runs.some(({ machine }) => machine !== undefined))
  const rows = series.map(({ name, runs }) => {
    const walls = runs.map(({ wall }) => wall)
    const memory = Math.max(...runs.map((run) => run.memory))
    return [
      name,
      spread(walls),
      spread(ratiosOf(runs, reference)),
      ...[limit, fullLimit].flatMap((least) => (least === undefined ? [] : [(median(walls) / least).toFixed(2)])),
      spread(runs.map(({ cpu }) => cpu)),
      ...(counted ? [spread(runs.map(({ machine = Number.NaN }) => machine))] : []),
      ...(served ? [spread(runs.map(({ server = 0 }) => server))] : []),
      memory > 0 ? (memory / 2 ** 20).toFixed(0) : '',
      (files / median(walls)).toFixed(0),
      (bytes / median(walls) / 2 ** 20).toFixed(0),
    ]
  })
  const limited = [...(limit === undefined ? [] : ['/ limit']), ...(fullLimit === undefined ? [] : ['/ full limit'])]
  const machine = counted ? ['machine CPU s'] : []
  const server = served ? ['server CPU s'] : []
  return [
    ['', 'wall s', `/ ${reference?.name}`, ...limited, 'CPU s', ...machine, ...server, 'peak MiB', 'files/s', 'MiB/s'],
    ...rows,
  ]
}

/** Each run's own ratio: what disturbs one contestant is likely to disturb the others. */
function ratiosOf(runs: readonly Measured[], reference: Series | undefined): number[] {
  return runs.map(({ wall }, run) => wall / (reference?.runs[run]?.wall ?? Number.NaN))
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

/** Writes `report.json`, `report.md` and `report.svg` into a folder. @param about the machine, and the peers' versions */
export function writeReport(folder: string, about: readonly string[], sections: readonly Section[]): void {
  mkdirSync(folder, { recursive: true })
  const summarised = sections.map((section) => ({ ...section, summary: summaryOf(section) }))
  writeFileSync(`${folder}/report.json`, `${JSON.stringify({ about, sections: summarised }, null, 2)}\n`)
  writeFileSync(`${folder}/report.md`, markdown(about, sections))
  writeFileSync(`${folder}/report.svg`, drawChart(sections))
}

/** The table's figures as numbers: medians with the least and the greatest. */
function summaryOf({ files, bytes, series, limit, fullLimit }: Section): Record<string, unknown> {
  const spreadOf = (values: readonly number[]): Record<string, number> => ({
    median: median(values),
    least: Math.min(...values),
    greatest: Math.max(...values),
  })
  const one = ({ runs }: Series): Record<string, unknown> => {
    const wall = median(runs.map((run) => run.wall))
    return {
      wall: spreadOf(runs.map((run) => run.wall)),
      ratio: spreadOf(ratiosOf(runs, series[0])),
      ...(limit !== undefined && { of_limit: wall / limit }),
      ...(fullLimit !== undefined && { of_full_limit: wall / fullLimit }),
      cpu: spreadOf(runs.map(({ cpu }) => cpu)),
      machine: spreadOf(runs.map(({ machine = Number.NaN }) => machine)),
      peak_memory: Math.max(...runs.map(({ memory }) => memory)),
      files_per_second: files / wall,
      bytes_per_second: bytes / wall,
    }
  }
  return Object.fromEntries(series.map((contestant) => [contestant.name, one(contestant)]))
}

function markdown(about: readonly string[], sections: readonly Section[]): string {
  const parts = sections.map((section) => {
    const [heading = [], ...rows] = rowsOf(section)
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
    const table = [line(heading), line(heading.map(() => '---')), ...rows.map(line)]
    const phases = section.phases ? ['', phasesLine(section.phases)] : []
    return [`### ${section.title}`, '', ...table, ...phases].join('\n')
  })
  return `${about.join('; ')}. Medians, with the least and the greatest.\n\n${parts.join('\n\n')}\n`
}

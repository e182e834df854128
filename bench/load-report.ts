import { formatTable } from '../src/cli/table.js'
import type { KindReport, Report } from './load-clients.js'
import type { LoopDelay } from './loop-delay.js'
import type { Cost, Role } from './stage.js'
import { median, percentile, spread } from './statistics.js'

/** The same operation without clients and with them, one after the other. */
export interface Pair {
  readonly alone: Cost
  readonly loaded: Cost
}

/** What a load test saw. */
export interface Load {
  readonly reports: readonly Report[]
  readonly delays: readonly LoopDelay[]
  readonly pairs: Readonly<Record<Role, readonly Pair[]>>
  /** Bytes that each operation moves. */
  readonly bytes: number
}

/** To reach: ms, and the share of its speed that the copying may lose. */
const goal = { statusP99: 25, loss: 0.25 }

/** Prints it. @throws where an answer was wrong */
export function reportLoad({ reports, delays, pairs, bytes }: Load): void {
  const kinds = merge(reports)
  showAnswers(kinds)
  const late = [...kinds.values()].flatMap((kind) => kind.late)
  const own = [0.5, 0.99, 1].map((share) => percentile(late, share).toFixed(1))
  console.log(
    `of that before a request left, for want of a core: p50 ${own[0]} ms, p99 ${own[1]} ms, longest ${own[2]} ms`,
  )
  const worst = (pick: (delay: LoopDelay) => number): string => Math.max(...delays.map(pick)).toFixed(1)
  const [p50, p99, max] = [worst((delay) => delay.p50), worst((delay) => delay.p99), worst((delay) => delay.max)]
  const [busy, waited] = [worst((delay) => delay.busy), worst((delay) => delay.waited * 100)]
  console.log(
    `\nevent loop late, the worst of ${delays.length} operations: p50 ${p50} ms, p99 ${p99} ms, longest ${max} ms`,
  )
  console.log(`of that its own work at most ${busy} ms at a time; it waited for a core up to ${waited} % of the time`)
  const losses = showSpeed(pairs, bytes)
  const status = percentile(kinds.get('status')?.latencies ?? [], 0.99)
  const verdict = (reached: boolean): string => (reached ? 'reached' : 'MISSED')
  console.log(`
status p99 ${status.toFixed(1)} ms, wanted below ${goal.statusP99} ms: ${verdict(status < goal.statusP99)}
lost to the clients ${losses.map((loss) => `${(loss * 100).toFixed(0)} %`).join(', ')}, wanted below ${goal.loss * 100} %: ${verdict(Math.max(...losses) < goal.loss)}`)
  const flaws = [...kinds].flatMap(([kind, report]) => report.flaws.map((flaw) => `${kind}: ${flaw}`))
  const wrong = [...kinds.values()].reduce((sum, report) => sum + report.wrong, 0)
  if (wrong > 0) throw new Error(`${wrong} answers were wrong:\n${flaws.join('\n')}`)
  console.log('every answer was one of the right ones for its request, every file has its hash')
}

function merge(reports: readonly Report[]): Map<string, KindReport> {
  const kinds = new Map<string, KindReport>()
  for (const [kind, report] of reports.flatMap((all) => Object.entries(all))) {
    const sum = kinds.get(kind) ?? { latencies: [], late: [], answers: {}, flaws: [], wrong: 0 }
    kinds.set(kind, sum)
    // Not by push(...all): there are more than a call takes.
    for (const latency of report.latencies) sum.latencies.push(latency)
    for (const late of report.late) sum.late.push(late)
    for (const [answer, times] of Object.entries(report.answers))
      sum.answers[answer] = (sum.answers[answer] ?? 0) + times
    sum.flaws.push(...report.flaws)
    sum.wrong += report.wrong
  }
  return kinds
}

function showAnswers(kinds: ReadonlyMap<string, KindReport>): void {
  const rows = [...kinds].map(([kind, { latencies, answers, wrong }]) => [
    kind,
    String(latencies.length),
    ...[0.5, 0.95, 0.99, 1].map((share) => percentile(latencies, share).toFixed(1)),
    Object.entries(answers)
      .map(([answer, times]) => `${answer}: ${times}`)
      .join(', '),
    String(wrong),
  ])
  console.log(formatTable([['REQUEST', 'SENT', 'p50 ms', 'p95', 'p99', 'longest', 'ANSWERS', 'WRONG'], ...rows]))
}

/** @returns the share of its speed that each operation loses */
function showSpeed(pairs: Load['pairs'], bytes: number): number[] {
  const rate = ({ wall }: Cost): number => bytes / wall / 2 ** 20
  const rows = Object.entries(pairs).map(([name, list]) => {
    // Each pair's own loss: what disturbs one half is likely to disturb the other.
    const losses = list.map(({ alone, loaded }) => 1 - rate(loaded) / rate(alone))
    return { name, list, losses }
  })
  const heading = ['OPERATION', 'MiB/s ALONE', 'MiB/s WITH CLIENTS', 'LOST %']
  const table = rows.map(({ name, list, losses }) => [
    name,
    spread(
      list.map(({ alone }) => rate(alone)),
      1,
    ),
    spread(
      list.map(({ loaded }) => rate(loaded)),
      1,
    ),
    spread(
      losses.map((loss) => loss * 100),
      0,
    ),
  ])
  console.log(`\n${formatTable([heading, ...table])}`)
  return rows.map(({ losses }) => median(losses))
}

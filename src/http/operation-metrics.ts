import type { OperationKind, OperationStatus, Outcome } from '../engine/operation.js'
import type { MetricRegistry, Sample } from './metric-registry.js'
import type { Operations } from './operations.js'

/** Operations on record that are looked at for how each kind went last. */
const mostRecords = 1000
const outcomes: readonly Outcome[] = ['completed', 'gaps', 'failed', 'interrupted', 'cancelled']
const kindAndTarget = ['operation', 'target'] as const
type KindAndTarget = Readonly<Record<(typeof kindAndTarget)[number], string>>

/** What operations of a kind at a target came to since the start of the process. */
interface Sum {
  readonly labels: { readonly operation: OperationKind; readonly target: string }
  readonly ends: Record<Outcome, number>
  files: number
  bytes: number
  /** The most that was ever told: what is read again steps back, and a counter must not. */
  readonly told: { files: number; bytes: number }
}

/** How operations go, and how the last one of each kind at each target went. Counters count from the start of the process, the last one's end comes from the journal. */
export class OperationMetrics {
  readonly #operations: Operations
  readonly #sums = new Map<string, Sum>()
  readonly #last = new Map<string, OperationStatus>()
  readonly #lastGood = new Map<string, OperationStatus>()

  constructor(operations: Operations, registry: MetricRegistry) {
    this.#operations = operations
    const record = operations.operations(mostRecords).map(({ status }) => status)
    for (const status of record.reverse()) {
      // From 0 on, or Prometheus would not see the first one as an increase.
      this.#sumOf(status)
      if (status.status !== 'running') this.#remember(status)
    }
    operations.onEnd((status) => {
      this.#remember(status)
      this.#add(status)
    })
    this.#describeEnds(registry)
    this.#describeRunning(registry)
    this.#describeLast(registry)
  }

  #remember(status: OperationStatus): void {
    const key = keyOf(status)
    this.#last.set(key, status)
    if (status.status === 'completed') this.#lastGood.set(key, status)
  }

  #add(status: OperationStatus): void {
    const sum = this.#sumOf(status)
    sum.files += status.processedFiles
    sum.bytes += status.processedBytes
    if (status.outcome) sum.ends[status.outcome] += 1
  }

  #sumOf({ operation, target }: OperationStatus): Sum {
    const key = keyOf({ operation, target })
    const ends = { completed: 0, gaps: 0, failed: 0, interrupted: 0, cancelled: 0 }
    const found = this.#sums.get(key) ?? {
      labels: { operation, target },
      ends,
      files: 0,
      bytes: 0,
      told: { files: 0, bytes: 0 },
    }
    this.#sums.set(key, found)
    return found
  }

  #describeEnds(registry: MetricRegistry): void {
    const ends = 'arc_backup_operations_total'
    registry.counter(ends, 'Operations that ended', [...kindAndTarget, 'outcome'], () =>
      [...this.#sums.values()].flatMap((sum) =>
        outcomes.map(
          (outcome): Sample<'operation' | 'target' | 'outcome'> => [{ ...sum.labels, outcome }, sum.ends[outcome]],
        ),
      ),
    )
    const moved = (of: 'files' | 'bytes', help: string) =>
      registry.counter(`arc_backup_moved_${of}_total`, help, kindAndTarget, () => {
        const running = this.#running()
        for (const status of running) this.#sumOf(status)
        return [...this.#sums].map(([key, sum]): Sample<keyof KindAndTarget> => {
          const own = running.filter((status) => keyOf(status) === key)
          const now = own.reduce(
            (total, status) => total + status[of === 'files' ? 'processedFiles' : 'processedBytes'],
            sum[of],
          )
          sum.told[of] = Math.max(sum.told[of], now)
          return [sum.labels, sum.told[of]]
        })
      })
    moved('bytes', 'Bytes that operations moved, or read for a verify')
    moved('files', 'Files that operations moved, or read for a verify')
  }

  #describeRunning(registry: MetricRegistry): void {
    const of = (name: string, help: string, value: (status: OperationStatus) => number) =>
      registry.gauge(`arc_backup_operation_${name}`, help, kindAndTarget, () =>
        this.#operations.live().map((status) => [labelsOf(status), value(status)]),
      )
    const lately = 'the operation that runs, or ran last in this process'
    of('running', 'Does an operation of this kind run', ({ status }) => Number(status === 'running'))
    of('started_timestamp_seconds', `Start of ${lately}`, ({ startedAt }) => seconds(startedAt))
    of('processed_bytes', `Bytes moved by ${lately}`, ({ processedBytes }) => processedBytes)
    of('total_bytes', `Bytes listed for ${lately}`, ({ totalBytes }) => totalBytes)
    of('processed_files', `Files moved by ${lately}`, ({ processedFiles }) => processedFiles)
    of('total_files', `Files listed for ${lately}`, ({ totalFiles }) => totalFiles)
    of('progress_ratio', `Share of its bytes that is moved by ${lately}`, shareOf)
    registry.gauge('arc_backup_operation_phase', 'What the running operation is at', [...kindAndTarget, 'phase'], () =>
      this.#running().map((status) => [{ ...labelsOf(status), phase: status.phase }, 1]),
    )
  }

  #describeLast(registry: MetricRegistry): void {
    registry.gauge(
      'arc_backup_last_outcome',
      'How the last operation ended: 1 for this outcome, 0 for the others',
      [...kindAndTarget, 'outcome'],
      () =>
        [...this.#last.values()].flatMap((status) =>
          outcomes.map(
            (outcome): Sample<'operation' | 'target' | 'outcome'> => [
              { ...labelsOf(status), outcome },
              Number(outcome === status.outcome),
            ],
          ),
        ),
    )
    const of = (name: string, help: string, value: (status: OperationStatus) => number) =>
      registry.gauge(
        `arc_backup_last_success_${name}`,
        `${help} the last operation that completed, whole or with gaps`,
        kindAndTarget,
        () => [...this.#lastGood.values()].map((status) => [labelsOf(status), value(status)]),
      )
    of('timestamp_seconds', 'End of', ({ completedAt }) => seconds(completedAt))
    of('duration_seconds', 'Duration of', ({ startedAt, completedAt }) => seconds(completedAt) - seconds(startedAt))
    of('size_bytes', 'Bytes in', ({ totalBytes }) => totalBytes)
    of('files', 'Files in', ({ totalFiles }) => totalFiles)
    of('reused_files', 'Files that an earlier backup had, of', ({ reusedFiles }) => reusedFiles ?? 0)
    of('reused_bytes', 'Bytes that an earlier backup had, of', ({ reusedBytes }) => reusedBytes ?? 0)
    of('skipped_files', 'Files that could not be read by', ({ skippedFiles }) => skippedFiles)
  }

  #running(): OperationStatus[] {
    return this.#operations.live().filter(({ status }) => status === 'running')
  }
}

function labelsOf({ operation, target }: OperationStatus): KindAndTarget {
  return { operation, target }
}

function keyOf({ operation, target }: Pick<OperationStatus, 'operation' | 'target'>): string {
  return `${operation} ${target}`
}

function shareOf({ status, processedBytes, totalBytes }: OperationStatus): number {
  if (status === 'completed') return 1
  return totalBytes === 0 ? 0 : Math.min(1, processedBytes / totalBytes)
}

/** Since the epoch. */
function seconds(time: string | null): number {
  return Date.parse(time ?? '') / 1000
}

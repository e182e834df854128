import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Registry } from 'prom-client'
import type { OperationStatus } from '../engine/operation.js'
import type { BackupList } from '../engine/targets.js'
import { version } from '../version.js'
import { LatencyHistogram } from './latency-histogram.js'
import type { Operations } from './operations.js'

/** Ms for which what targets answered is shown again: a listing of an object store costs requests. */
const listPeriod = 60_000
/** Ms that a scrape waits for targets: a Prometheus waits for ten seconds. */
const patience = 3000
/** Operations on record that are looked at for how each kind went last. */
const mostRecords = 1000
const outcomes = ['completed', 'gaps', 'failed', 'interrupted', 'cancelled'] as const
const verdicts = ['damaged', 'quick', 'full', 'deep', 'none'] as const
const kindAndTarget = ['operation', 'target'] as const
const quantiles = { 0.5: 50, 0.99: 99, 1: 100 }

/** Files and bytes by kind and target. */
type Moved = Map<string, { operation: string; target: string; files: number; bytes: number }>

/**
 * What Prometheus scrapes. Labels are names from the configuration, codes and words of ours: no path, no id, no name of a database, nothing that a stranger may not
 * read. Counters count from the start of the process, how operations went last comes from the journal.
 */
export class Metrics {
  readonly #operations: Operations
  readonly #registry = new Registry()
  readonly #delay: IntervalHistogram
  readonly #ended: Moved = new Map()
  readonly #last = new Map<string, OperationStatus>()
  readonly #lastGood = new Map<string, OperationStatus>()
  #list: { at: number; answer: Promise<BackupList | null>; last: BackupList | null } = {
    at: Number.NEGATIVE_INFINITY,
    answer: Promise.resolve(null),
    last: null,
  }

  constructor(operations: Operations) {
    this.#operations = operations
    this.#delay = monitorEventLoopDelay({ resolution: 20 })
    this.#delay.enable()
    const record = operations.operations(mostRecords).map(({ status }) => status)
    for (const status of record.reverse()) if (status.status !== 'running') this.#remember(status)
    this.#describeOperations()
    this.#describeLast()
    this.#describeProcess()
    this.#describeTargets()
    operations.onEnd((status) => {
      this.#remember(status)
      add(this.#ended, status)
      // There is a backup more, or a verdict.
      this.#list.at = Number.NEGATIVE_INFINITY
    })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async scrape(): Promise<string> {
    return this.#registry.metrics()
  }

  close(): void {
    this.#delay.disable()
  }

  #remember(status: OperationStatus): void {
    const key = `${status.operation} ${status.target}`
    this.#last.set(key, status)
    if (status.status === 'completed') this.#lastGood.set(key, status)
  }

  #describeOperations(): void {
    const ends = this.#counter('operations_total', 'Operations that ended', [...kindAndTarget, 'outcome'])
    this.#operations.onEnd(({ operation, target, outcome }) => ends.inc({ operation, target, outcome: outcome ?? '' }))
    const highest = new Map<string, number>()
    const moved = (name: string, help: string, of: 'bytes' | 'files') =>
      this.#counter(name, help, kindAndTarget, (counter) => {
        const all: Moved = new Map([...this.#ended].map(([key, entry]) => [key, { ...entry }]))
        for (const status of this.#running()) add(all, status)
        counter.reset()
        for (const [key, { operation, target, ...counts }] of all) {
          // What is read again steps back; a counter must not.
          const most = Math.max(counts[of], highest.get(`${of} ${key}`) ?? 0)
          highest.set(`${of} ${key}`, most)
          counter.inc({ operation, target }, most)
        }
      })
    moved('moved_bytes_total', 'Bytes that operations moved, or read for a verify', 'bytes')
    moved('moved_files_total', 'Files that operations moved, or read for a verify', 'files')
    this.#ofLive('operation_running', 'Does an operation of this kind run', ({ status }) =>
      Number(status === 'running'),
    )
    const of = (name: string, help: string, value: (status: OperationStatus) => number) =>
      this.#ofLive(`operation_${name}`, `${help} the operation that runs or ran last in this process`, value)
    of('started_timestamp_seconds', 'Start of', ({ startedAt }) => seconds(startedAt))
    of('processed_bytes', 'Bytes moved by', ({ processedBytes }) => processedBytes)
    of('total_bytes', 'Bytes listed for', ({ totalBytes }) => totalBytes)
    of('processed_files', 'Files moved by', ({ processedFiles }) => processedFiles)
    of('total_files', 'Files listed for', ({ totalFiles }) => totalFiles)
    of('progress_ratio', 'Share of its bytes that is moved by', ({ status, processedBytes, totalBytes }) => {
      if (status === 'completed') return 1
      return totalBytes === 0 ? 0 : Math.min(1, processedBytes / totalBytes)
    })
  }

  #describeLast(): void {
    this.#gauge('last_outcome', 'How the last operation ended', [...kindAndTarget, 'outcome'], (gauge) => {
      gauge.reset()
      for (const { operation, target, outcome: found } of this.#last.values()) {
        for (const outcome of outcomes) gauge.set({ operation, target, outcome }, Number(outcome === found))
      }
    })
    const of = (name: string, help: string, value: (status: OperationStatus) => number) =>
      this.#gauge(
        `last_success_${name}`,
        `${help} the last operation that completed, with gaps or whole`,
        kindAndTarget,
        (gauge) => {
          gauge.reset()
          for (const status of this.#lastGood.values()) gauge.set(labelsOf(status), value(status))
        },
      )
    of('timestamp_seconds', 'End of', ({ completedAt }) => seconds(completedAt))
    of('duration_seconds', 'Duration of', ({ startedAt, completedAt }) => seconds(completedAt) - seconds(startedAt))
    of('size_bytes', 'Bytes in', ({ totalBytes }) => totalBytes)
    of('files', 'Files in', ({ totalFiles }) => totalFiles)
    of('reused_files', 'Files that an earlier backup had, of', ({ reusedFiles }) => reusedFiles ?? 0)
    of('reused_bytes', 'Bytes that an earlier backup had, of', ({ reusedBytes }) => reusedBytes ?? 0)
    of('skipped_files', 'Files that could not be read by', ({ skippedFiles }) => skippedFiles)
  }

  #describeProcess(): void {
    const measures = () => this.#operations.measures()
    this.#gauge('build_info', 'The version that runs', ['version'], (gauge) => gauge.set({ version }, 1))
    this.#gauge('pool_threads', 'Threads that move files', [], (gauge) => gauge.set(measures().workers))
    this.#gauge('pool_queue_length', 'Tasks that wait for a thread', [], (gauge) => gauge.set(measures().queued))
    this.#gauge(
      'event_loop_delay_seconds',
      'How late the main thread was since the last scrape',
      ['quantile'],
      (gauge) => {
        for (const [quantile, percent] of Object.entries(quantiles)) {
          gauge.set({ quantile }, this.#delay.count === 0 ? 0 : this.#delay.percentile(percent) / 1e9)
        }
        this.#delay.reset()
      },
    )
    this.#counter('store_retries_total', 'Requests to stores that were made again', ['store', 'code'], (counter) => {
      counter.reset()
      for (const { store, code, count } of measures().retries) counter.inc({ store, code }, count)
    })
    this.#counter('store_throttles_total', 'Answers of stores that asked for fewer requests', ['store'], (counter) => {
      counter.reset()
      for (const { store, code, count } of measures().retries) if (code === 'THROTTLED') counter.inc({ store }, count)
    })
    const name = 'arc_backup_store_request_duration_seconds'
    this.#registry.registerMetric(new LatencyHistogram(name, 'How long stores took', () => measures().latencies))
  }

  #describeTargets(): void {
    const space = (name: string, help: string, value: 'free' | 'capacity') =>
      this.#gauge(name, help, ['target'], async (gauge) => {
        gauge.reset()
        for (const found of await this.#operations.space()) gauge.set({ target: found.target }, found[value])
      })
    space('target_free_bytes', 'Room left at a target on a disk', 'free')
    space('target_capacity_bytes', 'Size of the file system of a target on a disk', 'capacity')
    this.#ofList('backups', 'Backups', ['target'], (gauge, { backups }) => {
      for (const { target } of backups) gauge.inc({ target: String(target) })
    })
    this.#ofList(
      'newest_backup_timestamp_seconds',
      'When the newest backup began',
      ['target'],
      (gauge, { backups }) => {
        for (const { target, created_at: at } of [...backups].reverse())
          gauge.set({ target: String(target) }, seconds(String(at)))
      },
    )
    this.#ofList(
      'verified_backups',
      'Backups by what the last verify found',
      ['target', 'verdict'],
      (gauge, { backups }) => {
        for (const { target } of backups)
          for (const verdict of verdicts) gauge.set({ target: String(target), verdict }, 0)
        for (const { target, verified = 'none' } of backups)
          gauge.inc({ target: String(target), verdict: String(verified) })
      },
    )
    this.#ofList('target_unreachable', 'Targets that gave no answer', ['target'], (gauge, { unreachable }) => {
      for (const target of unreachable) gauge.set({ target }, 1)
    })
  }

  #running(): OperationStatus[] {
    return this.#operations.live().filter(({ status }) => status === 'running')
  }

  #ofLive(name: string, help: string, value: (status: OperationStatus) => number): void {
    this.#gauge(name, help, kindAndTarget, (gauge) => {
      gauge.reset()
      for (const status of this.#operations.live()) gauge.set(labelsOf(status), value(status))
    })
  }

  #ofList<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    fill: (gauge: Gauge<L>, list: BackupList) => void,
  ): void {
    this.#gauge(name, help, labels, async (gauge) => {
      const list = await this.#listed()
      gauge.reset()
      if (list) fill(gauge, list)
    })
  }

  /** The backups as they were a minute ago at most, where the targets answer in time; else as they were. */
  async #listed(): Promise<BackupList | null> {
    const state = this.#list
    if (performance.now() - state.at > listPeriod) {
      state.at = performance.now()
      state.answer = this.#operations.listBackups().then(
        (list) => {
          state.last = list
          return list
        },
        () => state.last,
      )
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<BackupList | null>((resolve) => {
      timer = setTimeout(() => resolve(state.last), patience)
    })
    return Promise.race([state.answer, late]).finally(() => clearTimeout(timer))
  }

  #gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    collect: (gauge: Gauge<L>) => void | Promise<void>,
  ): void {
    new Gauge<L>({
      name: `arc_backup_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        return collect(this)
      },
    })
  }

  #counter<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    collect: (counter: Counter<L>) => void = () => {},
  ): Counter<L> {
    return new Counter<L>({
      name: `arc_backup_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        collect(this)
      },
    })
  }
}

function labelsOf({ operation, target }: OperationStatus) {
  return { operation, target }
}

function add(moved: Moved, { operation, target, processedFiles, processedBytes }: OperationStatus): void {
  const key = `${operation} ${target}`
  const before = moved.get(key) ?? { operation, target, files: 0, bytes: 0 }
  moved.set(key, { ...before, files: before.files + processedFiles, bytes: before.bytes + processedBytes })
}

/** Since the epoch. */
function seconds(time: string | null): number {
  return Date.parse(time ?? '') / 1000
}

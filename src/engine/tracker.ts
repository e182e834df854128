import type { Failure } from '../errors.js'
import type { Flight } from './flights.js'
import type {
  Gap,
  OperationStatus,
  Outcome,
  Phase,
  PruneStatus,
  RestoreStatus,
  SettledStatus,
  VerifyStatus,
} from './operation.js'
import type { Progress } from './progress.js'

/** How many files or partitions a status names; counts are always whole. */
export const sampleSize = 32
/** Rate while running: over the samples of the last five seconds. */
const samplePeriod = 500
const samplesKept = 10

/** What does not change while an operation runs. */
type Identity = Pick<OperationStatus, 'operation' | 'operationId' | 'backupId' | 'target' | 'databases'>

/** The state of one operation as its engine knows it; `snapshot` is what everyone else sees. */
export class Tracker {
  totalFiles = 0
  totalBytes = 0
  skippedFiles = 0
  /** False while the source is still being listed. */
  totalsKnown = false
  skippedSample: readonly Gap[] = []
  readonly warnings: string[] = []
  restore: RestoreStatus | null = null
  settled: SettledStatus | null = null
  verify: VerifyStatus | null = null
  prune: PruneStatus | null = null
  /** What is on its way to and from the remote stores of this operation. */
  flights: () => readonly Flight[] = () => []
  /** A restore that changes live files, and can't be stopped any more. */
  switching = false
  /** Live files may have changed: who comes back must finish it. */
  begun = false
  /** Something of it could not be removed: its records stay for the sweep. */
  leftBehind = false

  readonly #identity: Identity
  readonly #progress: Progress
  /** When this process took it up: later than its start where it was interrupted. */
  readonly #running = now()
  readonly #earlierMs: number
  readonly #resumes: number
  readonly #startedAt: string
  readonly #phaseMs: Partial<Record<Phase, number>> = {}
  readonly #samples: { at: number; bytes: number }[] = []
  readonly #timer: NodeJS.Timeout
  #phase: Phase = 'listing'
  #phaseSince = this.#running
  #end: { at: number; outcome: Outcome; failure: Failure | null } | null = null

  /** @param earlier what is on record of an operation that is resumed */
  constructor(identity: Identity, progress: Progress, earlier?: { status: OperationStatus; spentMs: number }) {
    this.#identity = identity
    this.#startedAt = earlier?.status.startedAt ?? timestamp(this.#running)
    this.#earlierMs = earlier?.spentMs ?? 0
    this.#resumes = earlier ? earlier.status.resumes + 1 : 0
    this.#progress = progress
    this.#timer = setInterval(() => this.#sample(), samplePeriod)
    this.#timer.unref()
    this.#sample()
  }

  get operation(): OperationStatus['operation'] {
    return this.#identity.operation
  }

  enter(phase: Phase): void {
    const at = now()
    this.#phaseMs[this.#phase] = (this.#phaseMs[this.#phase] ?? 0) + at - this.#phaseSince
    this.#phase = phase
    this.#phaseSince = at
  }

  /** Time that the operation has run, without that between an interruption and its resume, in ms. */
  get spentMs(): number {
    return this.#earlierMs + (this.#end?.at ?? now()) - this.#running
  }

  warn(message: string): void {
    if (!this.warnings.includes(message)) this.warnings.push(message)
  }

  end(outcome: Outcome, failure: Failure | null): void {
    clearInterval(this.#timer)
    this.enter('done')
    this.#end = { at: now(), outcome, failure }
  }

  /** The status as it will be once it has ended so: for the record, which is made before anybody learns of it. */
  preview(outcome: Outcome, failure: Failure | null): OperationStatus {
    this.#end = { at: now(), outcome, failure }
    const status = this.snapshot()
    this.#end = null
    return { ...status, phase: 'done' }
  }

  snapshot(): OperationStatus {
    const [end, bytes] = [this.#end, this.#progress.read('bytes')]
    const rate = end ? perSecond(bytes, this.spentMs) : this.#rate(bytes)
    return Object.freeze({
      ...this.#identity,
      status: end ? arcStatus(end.outcome) : 'running',
      outcome: end?.outcome ?? null,
      phase: this.#phase,
      totalFiles: this.totalFiles,
      processedFiles: this.#progress.read('files'),
      skippedFiles: this.skippedFiles,
      totalBytes: this.totalBytes,
      processedBytes: bytes,
      serverSideFiles: this.#progress.read('serverSide'),
      unchangedFiles: this.#progress.read('unchanged'),
      reusedFiles: this.#progress.read('reusedFiles'),
      reusedBytes: this.#progress.read('reusedBytes'),
      bytesPerSecond: rate,
      etaSeconds: this.#eta(bytes, rate),
      startedAt: this.#startedAt,
      completedAt: end ? timestamp(end.at) : null,
      error: end?.failure?.message ?? null,
      errorCode: end?.failure?.code ?? null,
      warnings: [...this.warnings],
      skippedSample: this.skippedSample,
      restore: this.restore,
      verify: this.verify,
      ...(this.prune && { prune: this.prune }),
      resumes: this.#resumes,
      settled: this.settled,
      flights: end ? [] : this.flights(),
      phaseMs: Object.fromEntries(Object.entries(this.#phaseMs).map(([phase, ms]) => [phase, Math.round(ms)])),
    })
  }

  #eta(bytes: number, rate: number): number | null {
    if (this.#end) return 0
    if (!this.totalsKnown || rate === 0) return null
    return Math.max(0, Math.ceil((this.totalBytes - bytes) / rate))
  }

  #rate(bytes: number): number {
    const oldest = this.#samples[0]
    return oldest ? perSecond(bytes - oldest.bytes, now() - oldest.at) : 0
  }

  #sample(): void {
    this.#samples.push({ at: now(), bytes: this.#progress.read('bytes') })
    if (this.#samples.length > samplesKept) this.#samples.shift()
  }
}

/** Arc has three words; what ended otherwise than whole is "failed" to it, but for the few gaps that it tolerates too. */
function arcStatus(outcome: Outcome): 'completed' | 'failed' {
  return outcome === 'completed' || outcome === 'gaps' ? 'completed' : 'failed'
}

function perSecond(bytes: number, ms: number): number {
  return ms <= 0 ? 0 : Math.max(0, Math.round((bytes * 1000) / ms))
}

/** Milliseconds since the epoch with microseconds: arcli tells two operations apart by their start. */
function now(): number {
  return performance.timeOrigin + performance.now()
}

function timestamp(ms: number): string {
  const micros = Math.floor((ms % 1) * 1000)
  return new Date(ms).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`)
}

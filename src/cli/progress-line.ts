import type { Body } from './backups.js'
import { formatSeconds, formatSize } from './format-size.js'

const barWidth = 30
/** On something that is no terminal: a line every so often (ms), and one for each phase. */
const plainPeriod = 5000

/** Where progress is shown: a terminal, a log, or a test. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Shows the progress of an operation as `/status` tells it: a bar that is redrawn on a terminal, plain lines elsewhere. */
export class ProgressLine {
  readonly #output: Output
  #phase = ''
  #shownAt = 0

  constructor(output: Output) {
    this.#output = output
  }

  show(status: Body, now = Date.now()): void {
    if (this.#output.isTTY) {
      this.#output.write(`\r\x1b[2K${this.#fit(describe(status))}`)
      return
    }
    const phase = String(status.phase ?? '')
    if (phase === this.#phase && now - this.#shownAt < plainPeriod) return
    this.#phase = phase
    this.#shownAt = now
    this.#output.write(`${describe(status)}\n`)
  }

  /** The bar is over: what is written next starts on a line of its own. */
  end(): void {
    if (this.#output.isTTY) this.#output.write('\r\x1b[2K')
  }

  #fit(text: string): string {
    return text.slice(0, (this.#output.columns ?? 120) - 1)
  }
}

function describe(status: Body): string {
  const [done, total] = [number(status.processed_bytes), number(status.total_bytes)]
  const share = total > 0 ? Math.min(1, done / total) : 0
  const filled = Math.round(share * barWidth)
  const eta =
    status.eta_seconds === null || status.eta_seconds === undefined
      ? ''
      : `  ETA ${formatSeconds(number(status.eta_seconds))}`
  return [
    `${String(status.operation ?? 'operation')} [${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] ${String(Math.floor(share * 100)).padStart(3)}%`,
    `${number(status.processed_files)}/${number(status.total_files)} files`,
    `${formatSize(done)}/${formatSize(total)}`,
    `${formatSize(number(status.bytes_per_second))}/s`,
    `${String(status.phase ?? '')}${eta}`,
  ].join('  ')
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

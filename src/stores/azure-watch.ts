import { Readable } from 'node:stream'
import { stopSignal } from './stopping.js'

/** Breaks a request off in which no byte moves, or that is to stop. */
export class Watch {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #stop = stopSignal()
  readonly #breakOff = (): void => this.#controller.abort()

  /** @param ms without a byte. */
  constructor(ms: number) {
    this.#timer = setTimeout(this.#breakOff, ms)
    if (this.#stop?.aborted) this.#breakOff()
    this.#stop?.addEventListener('abort', this.#breakOff, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  moved(): void {
    this.#timer.refresh()
  }

  /** What a request failed with: why it was to stop, if it was. */
  why(error: unknown): unknown {
    return this.#stop?.aborted ? this.#stop.reason : error
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#stop?.removeEventListener('abort', this.#breakOff)
  }
}

/** A body in pieces, of which each that the connection takes counts as movement: so a slow connection is told from a dead one. */
export function inPieces(body: Buffer, piece: number, watch: Watch): Readable {
  let start = 0
  return new Readable({
    highWaterMark: piece,
    read() {
      watch.moved()
      this.push(start < body.length ? body.subarray(start, start + piece) : null)
      start += piece
    },
  })
}

import { Readable } from 'node:stream'

/** Breaks a request off in which no byte moves. */
export class Watch {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  /** @param ms without a byte. */
  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), ms)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  moved(): void {
    this.#timer.refresh()
  }

  end(): void {
    clearTimeout(this.#timer)
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

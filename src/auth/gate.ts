import { ServiceError } from '../errors.js'

/** Lets so many run at once and so many wait; whoever comes beyond that is sent away. */
export class Gate {
  readonly #atOnce: number
  readonly #waitingAtMost: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number, waitingAtMost: number) {
    this.#atOnce = atOnce
    this.#waitingAtMost = waitingAtMost
  }

  /** @throws TOO_MANY_REQUESTS with `detail.retryAfterSeconds` */
  async run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= this.#waitingAtMost) {
        throw new ServiceError('TOO_MANY_REQUESTS', 'Too many authentication attempts', { retryAfterSeconds: 2 })
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else {
      this.#running += 1
    }
    try {
      return await action()
    } finally {
      // Whoever waits takes over the place; otherwise it is free.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running -= 1
    }
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../src/schedule/clock.js'

const { Date: RealDate } = globalThis
const realOrigin = performance.timeOrigin
let shift = 0

/**
 * A clock on which whoever sleeps wakes at once and finds that so much time has passed; while nobody sleeps it goes as fast as any other. The whole process goes by it, so that
 * backups bear its dates. It stands still at the moment that a test runs it to.
 */
export class SimulatedClock implements Clock {
  #until: number
  #reached = (): void => {}
  #go = (): void => {}
  #going = new Promise<void>((resolve) => {
    this.#go = resolve
  })

  constructor(start: string) {
    install()
    shift = RealDate.parse(start) - RealDate.now()
    this.#until = this.now()
  }

  now(): number {
    return RealDate.now() + shift
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    // By no clock on the wall, as a timer is not: that one may be set meanwhile.
    for (let left = ms; left > 0 && !signal.aborted; ) {
      await nextTurn()
      const step = Math.min(left, Math.max(0, this.#until - this.now()))
      shift += step
      left -= step
      if (left > 0) {
        this.#reached()
        const aborted = new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        )
        await Promise.race([this.#going, aborted])
      }
    }
  }

  /** Resolves when somebody sleeps beyond that moment. */
  async runTo(time: string): Promise<void> {
    this.#until = RealDate.parse(time)
    const reached = new Promise<void>((resolve) => {
      this.#reached = resolve
    })
    this.#go()
    this.#going = new Promise((resolve) => {
      this.#go = resolve
    })
    await reached
  }

  /** Nobody was there to sleep. */
  set(time: string): void {
    shift = RealDate.parse(time) - RealDate.now()
    this.#until = this.now()
  }
}

function install(): void {
  globalThis.Date = class extends RealDate {
    constructor(...given: unknown[]) {
      if (given.length === 0) super(RealDate.now() + shift)
      else super(...(given as [number]))
    }

    static override now(): number {
      return RealDate.now() + shift
    }
  } as DateConstructor
  Object.defineProperty(performance, 'timeOrigin', { get: () => realOrigin + shift, configurable: true })
}

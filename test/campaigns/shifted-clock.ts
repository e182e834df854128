// Imported before the program by a process whose clock is to be wrong by CLOCK_SHIFT_MS.

const shift = Number(process.env.CLOCK_SHIFT_MS ?? 0)
const { Date: RealDate } = globalThis

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(RealDate.now() + shift)
    else super(...(given as [number]))
  }

  static override now(): number {
    return RealDate.now() + shift
  }
} as DateConstructor
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + shift })

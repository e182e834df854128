const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

const part = String.raw`(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)`
const whole = new RegExp(`^\\+?(?:${part})+$`)
const parts = new RegExp(part, 'g')

/** A timer of Node waits at most 2^31 - 1 ms and fires at once beyond that. */
export const longestDurationMs = 2 ** 31 - 1

/** A duration as Go's time.ParseDuration reads it ("2h", "1h30m", "1.5h"), in ms, rounded up; undefined for what is none or is negative. */
export function parseDuration(written: string): number | undefined {
  if (written === '0') return 0
  if (!whole.test(written)) return undefined
  let total = 0
  for (const [, number, unit] of written.matchAll(parts)) total += Number(number) * (unitMs[`${unit}`] ?? 0)
  return Math.ceil(total)
}

import type { RetentionPolicy } from '../../src/engine/retention.js'

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'America/Sao_Paulo',
]
const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Before any machine's now: restic looks at the clock, too. */
const newest = Date.UTC(2025, 0, 1)

export interface History {
  readonly policy: RetentionPolicy
  /** RFC 3339 with the offset that the zone has then, in no order, none twice. */
  readonly times: readonly string[]
}

export function randomPolicy(random: () => number): RetentionPolicy {
  const some = (most: number, share = 0.4): number => (random() < share ? 1 + Math.floor(random() * most) : 0)
  const rules = {
    last: some(5),
    hourly: some(12, 0.2),
    daily: some(10, 0.6),
    weekly: some(6),
    monthly: some(6),
    yearly: some(3, 0.2),
    within: some(90, 0.3),
  }
  const timezone = zones[Math.floor(random() * zones.length)] ?? 'UTC'
  const isEmpty = Object.values(rules).every((count) => count === 0)
  return { ...rules, ...(isEmpty && { daily: 3 }), timezone }
}

/** Nights, hours, bursts, and years between two backups; now and then around a change of clocks, or of years. */
export function randomTimes(random: () => number, timezone: string, most = 60): string[] {
  const count = 1 + Math.floor(random() * most)
  const gaps = [dayMs, dayMs, 3 * hourMs, hourMs / 2, 5 * dayMs, 40 * dayMs]
  const gap = gaps[Math.floor(random() * gaps.length)] ?? dayMs
  const jitter = random() < 0.3 ? 0 : random()
  const starts = [Date.UTC(2024, 2, 31, 1), Date.UTC(2023, 9, 29, 1), Date.UTC(2021, 0, 3), Date.UTC(2016, 1, 29)]
  let at = random() < 0.5 ? newest - random() * 2000 * dayMs : (starts[Math.floor(random() * 4)] ?? newest) + 3 * gap
  const times = new Set<number>()
  while (times.size < count) {
    times.add(Math.floor(at))
    at -= Math.max(1, gap * (1 + jitter * (random() * 2 - 1)))
    if (random() < 0.1) at -= gap * 7 * random()
  }
  return [...times].map((time) => written(time, timezone)).sort(() => random() - 0.5)
}

/** As restic writes a snapshot's time down: by the clock of its machine. */
function written(at: number, timezone: string): string {
  const named = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' }).formatToParts(at)
  const offset = named.find(({ type }) => type === 'timeZoneName')?.value.slice(3) || '+00:00'
  const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(offset) ?? []
  const shift = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
  return `${new Date(at + shift).toISOString().slice(0, -1)}${offset}`
}

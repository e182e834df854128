import { Zone } from './zone.js'

/** How many backups are kept by each rule, in restic's meaning of these words; absent or 0: the rule keeps none. */
export interface RetentionRules {
  /** The newest so many. */
  readonly last?: number
  /** The newest backup of each of the last so many hours, days, … that have one; hours and days without a backup do not count. */
  readonly hourly?: number
  readonly daily?: number
  /** Weeks of ISO 8601: from Monday on. */
  readonly weekly?: number
  readonly monthly?: number
  readonly yearly?: number
  /** Every backup that is younger than so many days, seen from the newest one, not from now. */
  readonly within?: number
}

export interface RetentionPolicy extends RetentionRules {
  /** IANA name of the time zone in which hours, days, weeks, months and years begin. */
  readonly timezone: string
}

/** Why a backup is kept: a rule, or what no rule may take away. */
export type KeepReason =
  | 'last'
  | 'hourly'
  | 'daily'
  | 'weekly'
  | 'monthly'
  | 'yearly'
  | 'within'
  | 'newest'
  | 'newest verified'
  | 'pinned'
  | 'being verified'

/** What retention looks at in a backup. */
export interface Candidate {
  readonly id: string
  /** RFC 3339. */
  readonly createdAt: string
  /** The databases that it was limited to; empty for all. Like restic's paths: backups of another scope are not each other's successors. */
  readonly scope: readonly string[]
  /** Did a verify, of whatever level, find it sound? */
  readonly verified: boolean
  readonly pinned: boolean
}

export interface Retained<T extends Candidate> {
  /** Both newest first. */
  readonly keep: readonly { readonly backup: T; readonly reasons: readonly KeepReason[] }[]
  readonly remove: readonly T[]
}

/** Does any rule keep anything? */
export function isEmptyPolicy({ last, hourly, daily, weekly, monthly, yearly, within }: RetentionRules): boolean {
  return [last, hourly, daily, weekly, monthly, yearly, within].every((count) => !count)
}

/**
 * Which backups are kept, and by which rules. Whatever the rules say the newest backup of each scope stays, so does the newest of each that verified, and so does
 * what is pinned. A policy without a rule keeps everything, as restic has it.
 */
export function applyRetention<T extends Candidate>(
  backups: readonly T[],
  policy: RetentionPolicy,
  now = Date.now(),
): Retained<T> {
  const newestFirst = [...backups].sort(byAge)
  const reasons = new Map<T, readonly KeepReason[]>()
  for (const group of scopesOf(newestFirst)) {
    const verified = group.find((backup) => backup.verified)
    const ruled = ruleOn(group, policy, now)
    for (const [index, backup] of group.entries()) {
      const kept: KeepReason[] = ruled[index] ?? []
      if (index === 0) kept.push('newest')
      if (backup === verified) kept.push('newest verified')
      if (backup.pinned) kept.push('pinned')
      if (kept.length > 0 || isEmptyPolicy(policy)) reasons.set(backup, kept)
    }
  }
  return {
    keep: newestFirst.flatMap((backup) => {
      const kept = reasons.get(backup)
      return kept ? [{ backup, reasons: kept }] : []
    }),
    remove: newestFirst.filter((backup) => !reasons.has(backup)),
  }
}

/** The rules alone, for backups sorted newest first: what keeps each of them. */
function ruleOn(sorted: readonly Candidate[], policy: RetentionPolicy, now: number): KeepReason[][] {
  const zone = new Zone(policy.timezone)
  const buckets = bucketsOf(policy, zone)
  const times = sorted.map(({ createdAt }) => Date.parse(createdAt))
  const since = policy.within ? zone.daysBefore(latestOf(times, now), policy.within) : null
  return times.map((at, index) => {
    const kept: KeepReason[] = since !== null && at > since ? ['within'] : []
    for (const bucket of buckets) {
      if (bucket.left === 0) continue
      const key = bucket.keyOf(at, index)
      if (key === bucket.key) continue
      bucket.key = key
      bucket.left -= 1
      kept.push(bucket.reason)
    }
    return kept
  })
}

interface Bucket {
  readonly reason: KeepReason
  readonly keyOf: (at: number, index: number) => string
  /** Of the last backup that it kept. */
  key: string
  left: number
}

function bucketsOf(policy: RetentionPolicy, zone: Zone): Bucket[] {
  const bucket = (reason: KeepReason, left = 0, keyOf: Bucket['keyOf']): Bucket => ({ reason, left, keyOf, key: '' })
  return [
    bucket('last', policy.last, (_, index) => `${index}`),
    bucket('hourly', policy.hourly, (at) => Object.values(zone.wall(at)).join()),
    bucket('daily', policy.daily, (at) => Object.values(zone.wall(at)).slice(0, 3).join()),
    bucket('weekly', policy.weekly, (at) => Object.values(zone.isoWeek(at)).join()),
    bucket('monthly', policy.monthly, (at) => Object.values(zone.wall(at)).slice(0, 2).join()),
    bucket('yearly', policy.yearly, (at) => `${zone.wall(at).year}`),
  ]
}

/** The newest that is not in the future, where a clock was wrong; the newest of all where all are. */
function latestOf(newestFirst: readonly number[], now: number): number {
  return newestFirst.find((at) => at <= now) ?? newestFirst[0] ?? now
}

function scopesOf<T extends Candidate>(backups: readonly T[]): T[][] {
  const groups = new Map<string, T[]>()
  for (const backup of backups) {
    const key = JSON.stringify([...backup.scope].sort())
    groups.set(key, [...(groups.get(key) ?? []), backup])
  }
  return [...groups.values()]
}

function byAge(a: Candidate, b: Candidate): number {
  return Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? 1 : -1)
}

import { isDeepStrictEqual } from 'node:util'
import { applyRetention, type Candidate, type RetentionPolicy } from '../../src/engine/retention.js'
import { type History, randomPolicy, randomTimes } from './histories.js'
import type { Answer, Restic } from './restic.js'

/** What is never taken away has no part in the comparison: restic has nothing of the kind. */
const ours = new Set(['newest', 'newest verified', 'pinned'])

/** One history with restic's answer. */
export interface Judged extends History {
  readonly kept: Answer
}

/** Random histories with what the real restic keeps of each. @param each histories that share a policy, and so a run of restic */
export function* judgedHistories(
  restic: Restic,
  random: () => number,
  { histories, each = 20, most = 60 }: { histories: number; each?: number; most?: number },
): Generator<Judged, void, undefined> {
  for (let made = 0; made < histories; made += each) {
    const policy = randomPolicy(random)
    const times = Array.from({ length: Math.min(each, histories - made) }, () =>
      randomTimes(random, policy.timezone, most),
    )
    const answers = restic.forget(times, policy)
    for (const [index, kept] of answers.entries()) yield { policy, times: times[index] ?? [], kept }
  }
}

/** What our own rules keep. */
export function keptByRules(times: readonly string[], policy: RetentionPolicy): Answer {
  const backups = times.map((createdAt, index): Candidate => {
    return { id: `${index}`, createdAt, scope: [], verified: false, pinned: false }
  })
  const kept = applyRetention(backups, policy).keep.map(({ backup, reasons }) => {
    return [backup.id, reasons.filter((reason) => !ours.has(reason))] as const
  })
  return Object.fromEntries(kept.filter(([, reasons]) => reasons.length > 0))
}

/** A sentence for each backup on which the two do not agree. */
export function differences({ policy, times, kept }: Judged): string[] {
  const own = keptByRules(times, policy)
  return times.flatMap((time, index) => {
    const [theirs, mine] = [kept[index]?.toSorted(), own[index]?.toSorted()]
    if (isDeepStrictEqual(theirs, mine)) return []
    return [`${time}: restic keeps it by ${theirs ?? 'nothing'}, we by ${mine ?? 'nothing'}; ${JSON.stringify(policy)}`]
  })
}

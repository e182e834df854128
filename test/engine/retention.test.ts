import { readFileSync } from 'node:fs'
import t from 'tap'
import { applyRetention, type Candidate, isEmptyPolicy } from '../../src/engine/retention.js'
import { differences, type Judged } from '../campaigns/retention.js'
import { root } from '../support/root.js'

const recorded = `${root}test/fixtures/retention.json`

function backupsOf(...days: (string | [day: string, more: Partial<Candidate>])[]): Candidate[] {
  return days.map((given) => {
    const [day, more] = typeof given === 'string' ? [given, {}] : given
    return { id: day, createdAt: `${day}T02:30:00Z`, scope: [], verified: false, pinned: false, ...more }
  })
}

function keptOf(backups: Candidate[], policy: Parameters<typeof applyRetention>[1]): Record<string, string> {
  const { keep } = applyRetention(backups, policy)
  return Object.fromEntries(keep.map(({ backup, reasons }) => [backup.id, reasons.join('+')]))
}

t.test('keeps the backups that restic keeps, by the same rules', async (t) => {
  const { histories } = JSON.parse(readFileSync(recorded, 'utf8')) as { histories: Judged[] }
  t.ok(histories.length >= 20, 'histories are on record')
  t.ok(new Set(histories.map(({ policy }) => policy.timezone)).size >= 5, 'of several time zones')
  for (const history of histories) t.same(differences(history), [])
})

t.test('the newest, the newest that verified and what is pinned stay whatever the rules say', async (t) => {
  const backups = backupsOf(
    '2026-01-05',
    '2026-01-04',
    ['2026-01-03', { verified: true }],
    ['2026-01-02', { pinned: true }],
    ['2026-01-01', { verified: true }],
  )
  t.same(keptOf(backups, { last: 1, timezone: 'UTC' }), {
    '2026-01-05': 'last+newest',
    '2026-01-03': 'newest verified',
    '2026-01-02': 'pinned',
  })
  t.same(
    applyRetention(backups, { last: 1, timezone: 'UTC' }).remove.map(({ id }) => id),
    ['2026-01-04', '2026-01-01'],
  )
})

t.test('a backup of some databases does not stand for one of all', async (t) => {
  const sales = { scope: ['sales', 'web'] }
  const backups = backupsOf(
    ['2026-01-04', sales],
    ['2026-01-03', { scope: ['web', 'sales'] }],
    '2026-01-02',
    '2026-01-01',
  )
  t.same(keptOf(backups, { last: 1, timezone: 'UTC' }), { '2026-01-04': 'last+newest', '2026-01-02': 'last+newest' })
})

t.test('without a rule everything is kept; nothing is nothing', async (t) => {
  t.same(Object.keys(keptOf(backupsOf('2026-01-02', '2026-01-01'), { timezone: 'UTC' })), ['2026-01-02', '2026-01-01'])
  t.same(applyRetention([], { last: 1, within: 3, timezone: 'UTC' }), { keep: [], remove: [] })
  t.ok(isEmptyPolicy({ last: 0, within: 0 }))
  t.notOk(isEmptyPolicy({ yearly: 1 }))
})

t.test('a backup from the future does not shift what is within some days', async (t) => {
  const backups = backupsOf('2026-01-01', '2025-06-10', '2025-06-09', '2025-06-01')
  const { remove } = applyRetention(backups, { within: 3, timezone: 'UTC' }, Date.parse('2025-06-11T00:00:00Z'))
  t.same(
    remove.map(({ id }) => id),
    ['2025-06-01'],
  )
})

t.test('of two of the same instant the later name is the newer', async (t) => {
  const [a, b] = backupsOf('2026-01-01', '2026-01-01')
  const twins = [
    { ...a, id: 'a' },
    { ...b, id: 'b' },
  ] as Candidate[]
  t.same(keptOf(twins, { last: 1, timezone: 'UTC' }), { b: 'last+newest' })
})

import t from 'tap'
import { parseCron } from '../../src/config/cron.js'

/** The next times after one, as UTC without the seconds. */
function due(cron: string, timezone: string, after: string, count: number): string[] {
  const next = parseCron(cron, timezone)
  if (!next) throw new Error(`${cron} is none`)
  const found: string[] = []
  for (let at = next(Date.parse(after)); at !== null && found.length < count; at = next(at)) {
    found.push(new Date(at).toISOString().replace(':00.000Z', ''))
  }
  return found
}

t.test(
  'a time of day that the clock skips is due once it has been put forward, one that it shows twice only once',
  async (t) => {
    t.same(due('30 2 * * *', 'Europe/Berlin', '2026-03-27T12:00Z', 4), [
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
      '2026-03-31T00:30',
    ])
    t.same(due('30 2 * * *', 'Europe/Berlin', '2026-10-23T12:00Z', 4), [
      '2026-10-24T00:30',
      '2026-10-25T00:30',
      '2026-10-26T01:30',
      '2026-10-27T01:30',
    ])
    t.same(due('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00.400Z', 1), ['2026-10-26T01:30'], 'from in between')
    t.same(due('30 1,2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 3), [
      '2026-03-29T00:30',
      '2026-03-29T01:00',
      '2026-03-29T23:30',
    ])
    t.same(due('45 1 * * *', 'Australia/Lord_Howe', '2026-04-03T20:00Z', 2), ['2026-04-04T14:45', '2026-04-05T15:15'])
  },
)

t.test('what is due every so often goes by what the clock shows', async (t) => {
  t.same(due('*/30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 1), ['2026-03-30T00:00'])
  t.same(due('*/30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 5), [
    '2026-10-25T00:00',
    '2026-10-25T00:30',
    '2026-10-25T01:00',
    '2026-10-25T01:30',
    '2026-10-26T01:00',
  ])
})

t.test('five fields, or six with the seconds first; day of month or day of week, where both are given', async (t) => {
  t.same(due('0 3 1 * mon', 'UTC', '2026-05-30T00:00Z', 3), [
    '2026-06-01T03:00',
    '2026-06-08T03:00',
    '2026-06-15T03:00',
  ])
  t.equal(parseCron('*/2 * * * * *', 'UTC')?.(1001), 2000)
  t.equal(parseCron('@daily', 'UTC')?.(0), 86_400_000)
  for (const wrong of ['', '0 3 * *', '61 3 * * *', '0 3 * * * * 2027', 'nightly', '0 0 30 2 *']) {
    t.equal(parseCron(wrong, 'UTC'), undefined, wrong)
  }
})

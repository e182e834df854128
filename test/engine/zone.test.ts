import t from 'tap'
import { localZone, Zone } from '../../src/engine/zone.js'

t.test('a day begins when the clock of its zone says so', async (t) => {
  const at = Date.parse('2026-03-29T00:59:59Z')
  t.same(new Zone('Europe/Berlin').wall(at), { year: 2026, month: 3, day: 29, hour: 1 })
  t.same(new Zone('Europe/Berlin').wall(at + 1000), { year: 2026, month: 3, day: 29, hour: 3 })
  t.same(new Zone('America/New_York').wall(at), { year: 2026, month: 3, day: 28, hour: 20 })
  t.same(new Zone('Asia/Kathmandu').wall(at), { year: 2026, month: 3, day: 29, hour: 6 })
})

t.test('weeks are those of ISO 8601', async (t) => {
  const utc = new Zone('UTC')
  const week = (day: string) => Object.values(utc.isoWeek(Date.parse(`${day}T12:00:00Z`)))
  t.same(week('2021-01-03'), [2020, 53])
  t.same(week('2021-01-04'), [2021, 1])
  t.same(week('2018-12-31'), [2019, 1])
  t.same(week('2024-12-30'), [2025, 1])
  t.same(week('1969-12-31'), [1970, 1])
  t.same(week('1969-12-25'), [1969, 52])
})

t.test('so many days before is the same time of day, across a change of clocks too', async (t) => {
  const berlin = new Zone('Europe/Berlin')
  const before = (at: string, days: number) => new Date(berlin.daysBefore(Date.parse(at), days)).toISOString()
  t.equal(before('2026-03-30T10:00:00Z', 2), '2026-03-28T11:00:00.000Z')
  t.equal(before('2026-10-26T10:00:00Z', 2), '2026-10-24T09:00:00.000Z')
  // 02:30 was not there on that day.
  t.equal(before('2026-03-30T00:30:00Z', 1), '2026-03-29T01:30:00.000Z')
})

t.test('a time before the first year of the calendar is one', async (t) => {
  t.same(new Zone('UTC').wall(Date.parse('0001-01-01T00:00:00Z')), { year: 1, month: 1, day: 1, hour: 0 })
  t.equal(new Zone('UTC').wall(Date.parse('0000-01-01T00:00:00Z')).year, 0)
})

t.test('names that are no zone are refused, and this machine has one', async (t) => {
  t.throws(() => new Zone('Mars/Olympus'), RangeError)
  t.doesNotThrow(() => new Zone(localZone()))
})

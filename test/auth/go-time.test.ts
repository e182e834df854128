import t from 'tap'
import { readGoTime } from '../../src/auth/go-time.js'

const past = Number.NEGATIVE_INFINITY

t.test("every layout of Arc's driver", async (t) => {
  const noon = Date.UTC(2026, 10, 23, 12, 0, 0)
  const cases: [unknown, number][] = [
    ['2026-11-23 12:00:00', noon],
    ['2026-11-23T12:00:00', noon],
    ['2026-11-23 12:00:00Z', noon],
    ['2026-11-23T12:00:00Z', noon],
    ['2026-11-23 12:00', noon],
    ['2026-11-23T12:00Z', noon],
    ['2026-11-23', Date.UTC(2026, 10, 23)],
    ['2026-11-23Z', Date.UTC(2026, 10, 23)],
    ['2026-11-23 12:00:00.5', noon + 500],
    ['2026-11-23 12:00:00.401930305+00:00', noon + 401],
    ['2026-11-23 12:00:00.123456789012', noon + 123],
    ['2026-11-23 12:00:00,25', noon + 250],
    ['2026-11-23T14:00:00.000000001+02:00', noon],
    ['2026-11-23 06:30:00-05:30', noon],
    ['2026-11-24 01:45:00+13:45', noon],
    ['2026-11-23 12:00:00+00:00Z', noon],
    ['2026-11-23 9:00:00', noon - 3 * 3600_000],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
    ['9999-12-31 23:59:59', Date.UTC(9999, 11, 31, 23, 59, 59)],
  ]
  for (const [text, expected] of cases) t.equal(readGoTime(text), expected, String(text))
})

t.test("Go's zero time lies in the year 1", async (t) => {
  for (const text of ['0001-01-01 00:00:00+00:00', '0001-01-01T00:00:00Z', '0001-01-01']) {
    t.equal(readGoTime(text), -62_135_596_800_000, text)
  }
})

t.test('integers are seconds, or milliseconds where they are too large for that', async (t) => {
  t.equal(readGoTime(1_800_000_000), 1_800_000_000_000)
  t.equal(readGoTime(1_800_000_000_000), 1_800_000_000_000)
  t.equal(readGoTime(1e12), 1e15, 'the border still counts seconds')
  t.equal(readGoTime(-1_800_000_000_000), -1_800_000_000_000)
  t.equal(readGoTime(0), 0)
})

t.test("what the driver can't read has passed", async (t) => {
  const unreadable = [
    // What Go prints for a time is none of the layouts: monotonic clock, names of zones.
    '2026-11-23 12:00:00.5 +0000 UTC m=+0.000012',
    '2026-11-23 12:00:00 +0000 UTC',
    '2026-11-23 12:00:00 UTC',
    '2026-11-23 12:00:00 CET',
    '2026-11-23 12:00:00+0000',
    '2026-11-23 12:00:00+02',
    '2026-11-23 12:00+02:00',
    '2026-11-23 12',
    '2026-11-23 ',
    '2026-11-23 12:00:00.',
    '2026-11-23 12:00:00ZZ',
    '2026-11-23  12:00:00',
    ' 2026-11-23',
    '2026-1-1',
    '99999-01-01',
    '2026-02-30',
    '2027-02-29',
    '2026-13-01',
    '2026-00-01',
    '2026-01-00',
    '2026-01-01 24:00:00',
    '2026-01-01 23:60:00',
    '2026-01-01 23:59:60',
    '2026-01-01 00:00:00+25:00',
    '2026-01-01 00:00:00+00:61',
    'never',
    '',
    'Z',
    // A column that is a REAL or a BLOB.
    1_900_000_000.5,
    1e300,
    Number.NaN,
    Buffer.from('2099-01-01'),
    null,
    undefined,
    true,
  ]
  for (const value of unreadable) t.equal(readGoTime(value), past, String(value))
})

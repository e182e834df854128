import t from 'tap'
import { count, formatAge, formatCount, formatSeconds, formatSize, formatTime } from '../../src/page/format.js'

t.test('sizes, times and counts for people', (t) => {
  t.same([0, 1023, 1024, 1536, 150 * 1024, 3 * 1024 ** 4].map(formatSize), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '150 KiB',
    '3.0 TiB',
  ])
  t.same([-1, 0.2, 59, 60, 3723, 90_000].map(formatSeconds), ['0 s', '0 s', '59 s', '1 min', '1 h 2 min', '1 d 1 h'])
  const now = Date.parse('2026-11-24T12:00:00Z')
  const ages = ['2026-11-24T11:59:30Z', '2026-11-24T11:00:00Z', '2026-11-20T11:00:00Z', '2026-11-25T00:00:00Z']
  t.same(
    ages.map((time) => formatAge(time, now)),
    ['just now', '1 h ago', '4 d ago', 'just now'],
  )
  t.match(formatTime('2026-11-24T12:00:00Z'), /^2026-11-2[45] \d\d:00:00$/)
  t.equal(formatCount(1234567), '1,234,567')
  t.same([count(1, 'file'), count(2, 'file'), count(0, 'entry', 'entries')], ['1 file', '2 files', '0 entries'])
  t.end()
})

import t from 'tap'
import { formatTime, isBackupId, newBackupId } from '../../src/format/backup-id.js'

t.test('an id tells the second it was made in, in UTC, and is unique', async (t) => {
  const now = new Date('2026-11-23T23:59:59.999+00:00')
  const ids = new Set(Array.from({ length: 100 }, () => newBackupId(now)))
  t.equal(ids.size, 100)
  for (const id of ids) {
    t.match(id, /^backup-20261123-235959-[0-9a-f]{8}$/)
    t.ok(isBackupId(id))
  }
})

t.test('what is not exactly an id is none', async (t) => {
  t.ok(isBackupId('backup-20261123-103045-c526b8a7'))
  for (const text of [
    '',
    'backup-20261123-103045-c526b8a',
    'backup-20261123-103045-c526b8a77',
    'backup-20261123-103045-C526B8A7',
    'backup-20261123-103045-c526b8ag',
    'backup-20261123-103045',
    'Backup-20261123-103045-c526b8a7',
    ' backup-20261123-103045-c526b8a7',
    'backup-20261123-103045-c526b8a7\n',
    'backup-20261123-103045-c526b8a7/',
    '../backup-20261123-103045-c526b8a7',
    'backup-٢٠٢٦١١٢٣-103045-c526b8a7',
  ]) {
    t.notOk(isBackupId(text), JSON.stringify(text))
  }
})

t.test('times are written as Go writes them', async (t) => {
  const cases: [Date | bigint, string][] = [
    [new Date('2026-11-23T10:30:45.583Z'), '2026-11-23T10:30:45.583Z'],
    [new Date('2026-11-23T10:30:45.580Z'), '2026-11-23T10:30:45.58Z'],
    [new Date('2026-11-23T10:30:45.000Z'), '2026-11-23T10:30:45Z'],
    [new Date(0), '1970-01-01T00:00:00Z'],
    [new Date(-1), '1969-12-31T23:59:59.999Z'],
    [1795429845583188582n, '2026-11-23T10:30:45.583188582Z'],
    [1795429845000000001n, '2026-11-23T10:30:45.000000001Z'],
    [1795429845100000000n, '2026-11-23T10:30:45.1Z'],
    [0n, '1970-01-01T00:00:00Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [-1_000_000_000n, '1969-12-31T23:59:59Z'],
  ]
  for (const [time, text] of cases) t.equal(formatTime(time), text)
})

import t from 'tap'
import { describeEnd, describeList, describeStatus, formatTable } from '../../src/cli/table.js'

t.test('columns are as wide as their widest cell, and no line ends in spaces', async (t) => {
  t.equal(
    formatTable([
      ['A', 'B', 'C'],
      ['1', 'long cell', ''],
      ['another', '2'],
    ]),
    ['A        B          C', '1        long cell', 'another  2'].join('\n'),
  )
  t.equal(formatTable([]), '')
  t.equal(formatTable([['A'], ['1', 'more than the heading']]), 'A\n1  more than the heading')
})

t.test('a list', async (t) => {
  t.equal(describeList({ backups: [], count: 0 }), 'no backups')
  t.equal(describeList({}), 'no backups')
  const backup = {
    backup_id: 'backup-20261123-103045-c526b8a7',
    created_at: '2026-11-23T10:30:45Z',
    total_files: 36,
    total_size_bytes: 83_766,
    database_count: 2,
  }
  t.equal(
    describeList({
      backups: [
        { ...backup, skipped_files: 1 },
        { ...backup, verified: 'full', verified_at: '2026-11-24T01:00:00Z' },
      ],
    }),
    [
      'BACKUP                           CREATED               FILES  SIZE      DATABASES  SKIPPED  VERIFIED',
      'backup-20261123-103045-c526b8a7  2026-11-23T10:30:45Z  36     81.8 KiB  2          1        -',
      'backup-20261123-103045-c526b8a7  2026-11-23T10:30:45Z  36     81.8 KiB  2          0        full 2026-11-24T01:00:00Z',
    ].join('\n'),
  )
})

t.test('a list of several targets says where each backup is', async (t) => {
  const backup = { created_at: '2026-11-23T10:30:45Z', total_files: 36, total_size_bytes: 1024, database_count: 2 }
  const near = { ...backup, backup_id: 'backup-b', target: 'local' }
  const far = { ...backup, backup_id: 'backup-a', target: 'offsite' }
  t.equal(
    describeList({ backups: [near, far] }),
    [
      'BACKUP    TARGET   CREATED               FILES  SIZE     DATABASES  SKIPPED  VERIFIED',
      'backup-b  local    2026-11-23T10:30:45Z  36     1.0 KiB  2          0        -',
      'backup-a  offsite  2026-11-23T10:30:45Z  36     1.0 KiB  2          0        -',
    ].join('\n'),
  )
  t.notMatch(describeList({ backups: [far, far] }), /TARGET|offsite/)
})

t.test('a backup that is left out of the list is named', async (t) => {
  const warnings = ['backup-x is left out: damaged\x1b[2K']
  t.equal(describeList({ backups: [], warnings }), 'no backups\nwarning: backup-x is left out: damaged\\x1b[2K')
  t.match(describeList({ backups: [{ backup_id: 'b' }], warnings }), /^BACKUP.*\nb .*\nwarning: backup-x is left out/)
})

t.test('how an operation ended', async (t) => {
  t.equal(
    describeEnd({
      operation: 'backup',
      backup_id: 'b',
      status: 'completed',
      outcome: 'gaps',
      processed_files: 5,
      processed_bytes: 2048,
      warnings: ['first', 'second'],
      skipped_sample: [{ path: 'm/cpu/a.parquet', message: 'EIO' }],
      missing_sample: [{ path: 'm/cpu/b.parquet', message: 'gone' }],
    }),
    [
      'backup b: gaps, 5 files, 2.0 KiB',
      'warning: first',
      'warning: second',
      'skipped: m/cpu/a.parquet: EIO',
      'missing: m/cpu/b.parquet: gone',
    ].join('\n'),
  )
  t.equal(
    describeEnd({
      operation: 'restore',
      backup_id: 'b',
      status: 'failed',
      outcome: null,
      processed_files: 0,
      processed_bytes: 0,
      error: 'no space',
    }),
    'restore b: failed, 0 files, 0 B\nerror: no space',
  )
  t.equal(describeEnd({ operation: 'backup', backup_id: 'b', status: 'running', error: '' }), 'backup b: running')
})

t.test('the last operation on record has no counts', async (t) => {
  const onRecord = { operation: 'backup', backup_id: 'b', status: 'completed', outcome: 'completed' }
  t.equal(describeEnd(onRecord), 'backup b: completed')
})

t.test("a file's name can't write a line of its own, or move the cursor", async (t) => {
  const text = describeEnd({
    operation: 'backup',
    backup_id: 'b',
    status: 'completed',
    skipped_sample: [{ path: 'a\r\x1b[2K\nbackup b: completed', message: 'x\u009b' }],
  })
  t.equal(text.split('\n').length, 2)
  t.equal(text.split('\n')[1], 'skipped: a\\x0d\\x1b[2K\\x0abackup b: completed: x\\x9b')
})

t.test('a status, with what is scheduled', async (t) => {
  t.equal(describeStatus({ status: 'idle' }), 'idle')
  const schedule = { cron: '0 3 * * *', timezone: 'Europe/Berlin', next_run: '2026-11-24T02:00:00.000Z' }
  t.equal(
    describeStatus({ status: 'idle', schedule }),
    'idle\nnext run: 2026-11-24T02:00:00.000Z (0 3 * * *, Europe/Berlin)',
  )
  const last_run = {
    due_at: '2026-11-22T02:00:00.000Z',
    outcome: 'gaps',
    missed_runs: 2,
    note: 'nothing\x1b was pruned',
  }
  const current_run = { due_at: '2026-11-23T02:00:00.000Z', missed_runs: 0 }
  const status = { operation: 'backup', backup_id: 'b', status: 'running', outcome: null, warnings: [] }
  t.equal(
    describeStatus({ ...status, schedule: { ...schedule, last_run, current_run } }),
    [
      'backup b: running',
      'last run: due 2026-11-22T02:00:00.000Z: gaps; 2 more were missed; nothing\\x1b was pruned',
      'this run: due 2026-11-23T02:00:00.000Z, under way',
      'next run: 2026-11-24T02:00:00.000Z (0 3 * * *, Europe/Berlin)',
    ].join('\n'),
  )
  t.match(describeStatus({ status: 'idle', schedule: { ...schedule, next_run: null } }), /next run: never/)
})

import t from 'tap'
import { scheduled } from '../../src/http/answers.js'
import { runBody, scheduleBody } from '../../src/http/schedule.js'
import type { Run } from '../../src/schedule/runs.js'

const run: Run = {
  number: 7,
  due: Date.parse('2026-11-23T02:00:00Z'),
  covers: Date.parse('2026-11-23T02:00:01Z'),
  missed: 0,
  began: Date.parse('2026-11-23T02:00:00.012Z'),
  ended: null,
  outcome: null,
  note: null,
  backup: '0123456789ab',
  verify: null,
  prune: null,
  attempts: 1,
}

t.test('a run says what there is to be said of it', async (t) => {
  t.same(runBody(run), {
    due_at: '2026-11-23T02:00:00.000Z',
    missed_runs: 0,
    began_at: '2026-11-23T02:00:00.012Z',
    backup_operation: '0123456789ab',
  })
  const ended = {
    ended: run.covers,
    outcome: 'gaps',
    note: 'why',
    verify: '123456789abc',
    prune: '23456789abcd',
  } as const
  t.match(runBody({ ...run, ...ended }), {
    ended_at: '2026-11-23T02:00:01.000Z',
    outcome: 'gaps',
    note: 'why',
    verify_operation: '123456789abc',
    prune_operation: '23456789abcd',
  })
})

t.test('a schedule is as it is described', async (t) => {
  const schedule = { cron: '0 3 * * *', timezone: 'UTC', target: 'local', verify: null, prune: { daily: 7 } }
  const body = scheduleBody({ schedule, nextRun: run.due, current: run, last: null })
  t.match(body, { verify: 'none', prune: { keep_daily: 7, keep_last: 0 }, next_run: '2026-11-23T02:00:00.000Z' })
  t.notOk('last_run' in body)
  t.ok(scheduled.safeParse({ schedule: body, runs: [runBody(run)], count: 1 }).success)
  t.match(scheduleBody({ schedule: { ...schedule, prune: null }, nextRun: null, current: null, last: run }), {
    prune: null,
    next_run: null,
    last_run: { due_at: '2026-11-23T02:00:00.000Z' },
  })
})

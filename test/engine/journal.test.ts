import t from 'tap'
import { Journal, lastOperation } from '../../src/engine/journal.js'

function entry(id: string, startedAt: string) {
  const request = JSON.stringify({ includeMetadata: true })
  return { id, kind: 'backup', backupId: `backup-of-${id}`, request, caller: 'admin', startedAt } as const
}

t.test('operations outlive the process, newest first', async (t) => {
  const file = `${t.testdir({})}/journal.db`
  const before = new Journal(file)
  before.begin(entry('a', '2026-11-23T10:00:00.000001Z'))
  before.begin({ ...entry('b', '2026-11-23T11:00:00.000000Z'), kind: 'restore' })
  before.end('a', '2026-11-23T10:01:00.000000Z', 'failed', 'no space')
  before.close()
  const journal = new Journal(file)
  t.teardown(() => journal.close())
  const open = { endedAt: null, outcome: null, error: null }
  const ended = { endedAt: '2026-11-23T10:01:00.000000Z', outcome: 'failed', error: 'no space' }
  const [a, b] = [
    { ...entry('a', '2026-11-23T10:00:00.000001Z'), ...ended },
    { ...entry('b', '2026-11-23T11:00:00.000000Z'), kind: 'restore', ...open },
  ]
  t.same(journal.operations(10), [b, a])
  t.same(journal.operations(1), [b])
  t.throws(() => journal.begin(entry('a', '')), 'an id is used once')
})

t.test('what a process that is gone left running was interrupted; what had ended stays', async (t) => {
  const file = `${t.testdir({})}/journal.db`
  const before = new Journal(file)
  before.begin(entry('done', '1'))
  before.end('done', '2', 'completed', null)
  before.begin(entry('killed', '3'))
  before.close()
  const journal = new Journal(file)
  t.teardown(() => journal.close())
  t.equal(journal.closeAbandoned('4'), 1)
  t.equal(journal.closeAbandoned('5'), 0)
  t.match(journal.operations(10), [
    { id: 'killed', endedAt: '4', outcome: 'interrupted', error: 'the service was killed' },
    { id: 'done', endedAt: '2', outcome: 'completed', error: null },
  ])
})

t.test('files moved aside, by operation', async (t) => {
  const journal = new Journal(`${t.testdir({})}/journal.db`)
  t.teardown(() => journal.close())
  const files = [
    { path: 'a', hidden: '.a' },
    { path: "b'", hidden: '.b' },
  ]
  journal.recordMovedAside('one', files)
  journal.recordMovedAside('two', [])
  t.same(journal.movedAside('one'), files)
  t.same(journal.movedAside('two'), [])
})

t.test('the last operation, read beside a service that has the journal open', async (t) => {
  const folder = t.testdir({})
  t.same(lastOperation(folder), { status: 'idle' }, 'never started')
  const journal = new Journal(`${folder}/journal.db`)
  t.teardown(() => journal.close())
  t.same(lastOperation(folder), { status: 'idle' })
  for (const [index, outcome, status, error] of [
    [1, 'completed', 'completed', null],
    [2, 'gaps', 'completed', null],
    [3, 'failed', 'failed', 'no space'],
    [4, 'interrupted', 'failed', 'interrupted'],
    [5, 'cancelled', 'failed', 'the operation was cancelled'],
  ] as const) {
    const id = `op${index}`
    const known = { operation: 'backup', backup_id: `backup-of-${id}`, operation_id: id, started_at: `2026-0${index}` }
    journal.begin(entry(id, `2026-0${index}`))
    t.same(lastOperation(folder), { ...known, status: 'running', outcome: null })
    journal.end(id, 'later', outcome, error)
    t.same(lastOperation(folder), { ...known, status, outcome, completed_at: 'later', ...(error && { error }) })
  }
})

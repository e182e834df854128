import t from 'tap'
import { Journal, lastOperation } from '../../src/engine/journal.js'
import type { OperationStatus } from '../../src/engine/operation.js'
import { Progress } from '../../src/engine/progress.js'
import { Tracker } from '../../src/engine/tracker.js'

t.test('operations outlive a restart; one that nobody ended was interrupted', async (t) => {
  const dir = t.testdir()
  t.equal(lastOperation(dir), null, 'nothing yet')
  const first = new Journal(`${dir}/journal.db`)
  t.equal(lastOperation(dir), null)
  const [done, killed] = [begun('000000000001'), begun('000000000002')]
  first.begin({ status: done, request: { includeMetadata: true }, caller: 'nightly' })
  first.end({ ...done, status: 'completed', outcome: 'gaps', completedAt: '2026-11-23T10:00:00Z' })
  first.begin({ status: killed, request: { databases: ['metrics'] }, caller: 'anna' })
  t.match(lastOperation(dir), { operationId: '000000000002', status: 'running', outcome: null }, 'read beside it')
  first.close()

  const second = new Journal(`${dir}/journal.db`)
  t.equal(second.closeAbandoned('2026-11-23T11:00:00Z'), 1)
  t.equal(second.closeAbandoned('2026-11-23T12:00:00Z'), 0)
  t.match(second.operations(10), [
    {
      caller: 'anna',
      request: { databases: ['metrics'] },
      status: {
        status: 'failed',
        outcome: 'interrupted',
        completedAt: '2026-11-23T11:00:00Z',
        errorCode: 'INTERRUPTED',
      },
    },
    { caller: 'nightly', request: { includeMetadata: true }, status: { status: 'completed', outcome: 'gaps' } },
  ])
  t.match(second.operation('000000000001'), { caller: 'nightly' })
  t.equal(second.operation('00000000000f'), undefined)
  second.close()
})

t.test('pages, and the last ten thousand', async (t) => {
  const dir = t.testdir()
  const journal = new Journal(`${dir}/journal.db`)
  t.teardown(() => journal.close())
  const idOf = (number: number): string => number.toString(16).padStart(12, '0')
  for (let number = 1; number <= 10_005; number += 1) {
    journal.begin({ status: begun(idOf(number)), request: {}, caller: 'x' })
  }
  const ids = (limit: number, before?: string): string[] =>
    journal.operations(limit, before).map(({ status }) => status.operationId)
  t.same(ids(2), [idOf(10_005), idOf(10_004)])
  t.same(ids(2, idOf(10_004)), [idOf(10_003), idOf(10_002)])
  t.same(ids(20_000).length, 10_000)
  t.same(ids(5, idOf(7)), [idOf(6)], 'older ones are gone')
})

t.test('files moved aside are on record', async (t) => {
  const journal = new Journal(`${t.testdir()}/journal.db`)
  t.teardown(() => journal.close())
  const files = [
    { path: 'a/b.parquet', hidden: 'a/.b.parquet.x.replaced' },
    { path: 'a/c.parquet', hidden: null },
  ]
  journal.recordMovedAside('000000000001', files)
  t.same(journal.movedAside('000000000001'), files)
  t.same(journal.movedAside('000000000002'), [])
})

function begun(operationId: string): OperationStatus {
  const backupId = 'backup-20261123-100000-00000001'
  const identity = { operation: 'backup', operationId, backupId, target: 'local', databases: null } as const
  const tracker = new Tracker(identity, new Progress())
  const status = tracker.snapshot()
  tracker.end('completed', null)
  return status
}

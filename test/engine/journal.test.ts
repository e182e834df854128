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
  first.begin({ status: done, request: { includeMetadata: true }, caller: 'nightly' }, 'boot-1')
  first.end({ ...done, status: 'completed', outcome: 'gaps', completedAt: '2026-11-23T10:00:00Z' })
  first.begin({ status: killed, request: { databases: ['metrics'] }, caller: 'anna' }, 'boot-1')
  t.match(lastOperation(dir), { operationId: '000000000002', status: 'running', outcome: null }, 'read beside it')
  first.close()

  const second = new Journal(`${dir}/journal.db`)
  t.match(second.adoptAbandoned('2026-11-23T11:00:00Z'), [{ operationId: '000000000002' }])
  t.same(second.adoptAbandoned('2026-11-23T12:00:00Z'), [])
  t.match(second.operations(10), [
    {
      caller: 'anna',
      resumable: true,
      request: { databases: ['metrics'] },
      status: {
        status: 'failed',
        outcome: 'interrupted',
        completedAt: '2026-11-23T11:00:00Z',
        errorCode: 'INTERRUPTED',
      },
    },
    {
      caller: 'nightly',
      resumable: false,
      request: { includeMetadata: true },
      status: { status: 'completed', outcome: 'gaps' },
    },
  ])
  t.match(second.operation('000000000001'), { caller: 'nightly' })
  t.equal(second.operation('00000000000f'), undefined)
  second.close()
})

t.test('a verify is on record, but it is not the status, and nobody resumes it', async (t) => {
  const dir = t.testdir()
  const journal = new Journal(`${dir}/journal.db`)
  t.equal(journal.last(), null)
  const verify = { ...begun('000000000002'), operation: 'verify' } as const
  journal.begin({ status: verify, request: { level: 'full' }, caller: 'nightly' }, 'boot-1')
  t.equal(journal.last(), null)
  t.equal(lastOperation(dir), null)
  journal.begin({ status: begun('000000000001'), request: {}, caller: 'nightly' }, 'boot-1')
  journal.begin({ status: { ...verify, operationId: '000000000003' }, request: {}, caller: 'nightly' }, 'boot-1')
  t.match(journal.last(), { operationId: '000000000001' })
  t.match(lastOperation(dir), { operationId: '000000000001' })
  t.match(journal.operations(1), [{ status: { operationId: '000000000003', status: 'running' } }])
  journal.adoptAbandoned('2026-11-23T11:00:00Z')
  t.match(journal.operation('000000000003'), { resumable: false, status: { outcome: 'interrupted' } })
  t.match(journal.interrupted(), [{ status: { operationId: '000000000001' } }])
  t.equal(journal.interrupted().length, 1)
  journal.close()
})

t.test('a delete that was interrupted is finished by who finds nothing left of its backup', async (t) => {
  const dir = t.testdir()
  const journal = new Journal(`${dir}/journal.db`)
  t.teardown(() => journal.close())
  const status = { ...begun('000000000001'), operation: 'delete' } as const
  journal.begin({ status, request: {}, caller: 'anna' }, 'boot-1')
  journal.finishDelete('000000000001')
  t.match(journal.operation('000000000001'), { status: { status: 'running' } }, 'it runs')
  journal.adoptAbandoned('2026-11-23T11:00:00Z')
  t.match(journal.operation('000000000001'), { resumable: false, status: { outcome: 'interrupted' } })
  journal.finishDelete('000000000001')
  t.match(journal.operation('000000000001'), { caller: 'anna', status: { outcome: 'completed', error: null } })
  t.equal(journal.last(), null, 'it is not the status')
})

t.test('pages, and only so many that have ended', async (t) => {
  const dir = t.testdir()
  const journal = new Journal(`${dir}/journal.db`, 100)
  t.teardown(() => journal.close())
  const idOf = (number: number): string => number.toString(16).padStart(12, '0')
  journal.begin({ status: begun(idOf(1)), request: {}, caller: 'x' }, 'boot')
  journal.interrupt(begun(idOf(1)), 5)
  for (let number = 2; number <= 105; number += 1) {
    journal.begin({ status: begun(idOf(number)), request: {}, caller: 'x' }, 'boot')
    journal.end(begun(idOf(number)))
  }
  const ids = (limit: number, before?: string): string[] =>
    journal.operations(limit, before).map(({ status }) => status.operationId)
  t.same(ids(2), [idOf(105), idOf(104)])
  t.same(ids(2, idOf(104)), [idOf(103), idOf(102)])
  t.same(ids(5, idOf(7)), [idOf(6), idOf(1)], 'older ones are gone, but for one that waits')
  journal.recordMovedAside(idOf(6), [{ path: 'a', hidden: '.a' }])
  journal.begin({ status: begun(idOf(106)), request: {}, caller: 'x' }, 'boot')
  journal.begin({ status: begun(idOf(107)), request: {}, caller: 'x' }, 'boot')
  t.same(ids(5, idOf(9)), [idOf(8), idOf(6), idOf(1)], 'and for one whose files can still be put back')
})

t.test('what is interrupted can be taken up; three times without a byte more is counted', async (t) => {
  const dir = t.testdir()
  const journal = new Journal(`${dir}/journal.db`)
  t.teardown(() => journal.close())
  const status = begun('000000000001')
  journal.begin({ status, request: { mode: 'merge' }, caller: 'anna' }, 'boot-1')
  journal.save({ ...status, processedBytes: 10 }, 1234)
  t.same(journal.interrupted(), [], 'it runs')
  journal.adoptAbandoned('2026-11-23T11:00:00Z')
  t.match(journal.interrupted(), [{ spentMs: 1234, boot: 'boot-1', stalls: 0, switching: false, caller: 'anna' }])
  t.match(journal.resume('000000000001', 'boot-2'), { boot: 'boot-1', stalls: 0, status: { processedBytes: 10 } })
  t.same(journal.interrupted(), [])
  for (const [bytes, stalls] of [
    [10, 1],
    [0, 2],
    [11, 0],
    [11, 1],
  ] as const) {
    journal.interrupt({ ...status, processedBytes: bytes }, 2000)
    t.match(journal.resume('000000000001', 'boot-2'), { stalls, boot: 'boot-2', spentMs: 2000 }, `${bytes} bytes`)
  }
  journal.interrupt({ ...status, processedBytes: 0 }, 2000)
  t.match(journal.resume('000000000001', 'boot-2', 12), { stalls: 0 }, 'its own lists know better')
  journal.beginSwitch('000000000001')
  journal.interrupt(status, 2000)
  t.match(journal.interrupted(), [{ switching: true }])
  journal.end(status)
  t.same(journal.interrupted(), [])
})

t.test('an instance has one name', async (t) => {
  const file = `${t.testdir()}/journal.db`
  const first = new Journal(file)
  const { instance } = first
  t.match(instance, /^[0-9a-f-]{36}$/)
  first.close()
  const again = new Journal(file)
  t.equal(again.instance, instance)
  again.close()
})

t.test('files moved aside are on record', async (t) => {
  const journal = new Journal(`${t.testdir()}/journal.db`)
  t.teardown(() => journal.close())
  const files = [
    { path: 'a/b.parquet', hidden: 'a/.b.parquet.x.replaced' },
    { path: 'a/c.parquet', hidden: null },
  ]
  journal.recordMovedAside('000000000001', files)
  t.same([...journal.movedAside('000000000001')].flat(), files)
  t.same([...journal.movedAside('000000000002')], [])
  journal.recordMovedAside('000000000001', files)
  t.equal([...journal.movedAside('000000000001')].flat().length, 2, 'once, also when it is done again')
  t.same(journal.withMovedAside(), [], 'of no operation that is known')
  const status = begun('000000000001')
  journal.begin({ status, request: {}, caller: 'x' }, 'boot')
  t.same(journal.withMovedAside(), [], 'it still runs')
  journal.end({ ...status, completedAt: '2026-11-23T11:00:00Z' })
  t.same(journal.withMovedAside(), [{ id: '000000000001', completedAt: '2026-11-23T11:00:00Z' }])
  journal.forgetMovedAside('000000000001', 'a/b.parquet')
  t.same([...journal.movedAside('000000000001')].flat(), files.slice(1))
  t.same(journal.withMovedAside(), [], 'what is left was removed for good')
  journal.forgetMovedAside('000000000001')
  t.same([...journal.movedAside('000000000001')], [])
})

function begun(operationId: string): OperationStatus {
  const backupId = 'backup-20261123-100000-00000001'
  const identity = { operation: 'backup', operationId, backupId, target: 'local', databases: null } as const
  const tracker = new Tracker(identity, new Progress())
  const status = tracker.snapshot()
  tracker.end('completed', null)
  return status
}

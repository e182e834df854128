import { pino } from 'pino'
import t, { type Test } from 'tap'
import { DeleteRecord } from '../../src/engine/delete-record.js'
import { Journal } from '../../src/engine/journal.js'

const what = { backupId: 'backup-20260102-030405-abcdef01', target: 'local', caller: 'token 7' }

function open(t: Test) {
  const journal = new Journal(`${t.testdir({})}/journal.db`)
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
  return { journal, lines, log }
}

t.test('who asked, and how it ended', async (t) => {
  const { journal, lines, log } = open(t)
  t.teardown(() => journal.close())
  new DeleteRecord(journal, log, { ...what, operationId: 'a' }).end(null)
  const failure = { code: 'STORE_DENIED', message: 'cannot remove it' } as const
  new DeleteRecord(journal, log, { ...what, operationId: 'b' }).end(failure)
  t.match(journal.operation('a'), {
    caller: 'token 7',
    status: { operation: 'delete', status: 'completed', target: 'local' },
  })
  t.match(journal.operation('b'), {
    status: { status: 'failed', errorCode: 'STORE_DENIED', error: 'cannot remove it' },
  })
  t.match(JSON.parse(lines[0] ?? ''), { msg: 'delete started', operation_id: 'a', caller: 'token 7' })
})

t.test('it happens all the same where it can not be written down', async (t) => {
  const { journal, lines, log } = open(t)
  journal.close()
  new DeleteRecord(journal, log, { ...what, operationId: 'a' }).end(null)
  t.equal(lines.filter((line) => line.includes('a delete could not be put on record')).length, 2)
})

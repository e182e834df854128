import { pino } from 'pino'
import t from 'tap'
import { announceTo } from '../../src/engine/announcer.js'
import type { JournalEntry } from '../../src/engine/journal.js'
import type { OperationStatus } from '../../src/engine/operation.js'

const ended = { operationId: 'a' } as OperationStatus
const entry = { caller: 'anna' } as JournalEntry

t.test('who is told gets what is on record; one who fails harms nobody', async (t) => {
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => lines.push(line) })
  const told: JournalEntry[] = []
  const close = async (): Promise<void> => {}
  announceTo({ tell: (operation) => void told.push(operation), close }, () => entry, log)(ended)
  t.same(told, [entry])
  announceTo(undefined, () => entry, log)(ended)
  const fail = (): never => {
    throw new Error('no such operation')
  }
  announceTo({ tell: () => {}, close }, fail, log)(ended)
  announceTo({ tell: fail, close }, () => entry, log)(ended)
  t.equal(lines.length, 2)
  for (const line of lines)
    t.match(JSON.parse(line), { level: 50, operation_id: 'a', err: { message: 'no such operation' } })
})

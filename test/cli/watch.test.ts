import t from 'tap'
import type { Backups, Body } from '../../src/cli/backups.js'
import { watch } from '../../src/cli/watch.js'
import { ServiceError } from '../../src/errors.js'
import { Written } from './scene.js'

/** A service that gives these answers in turn, and the last one for ever. */
function speaker(...answers: (Body | Error)[]): Backups {
  let next = 0
  const status = async (): Promise<Body> => {
    const answer = answers[Math.min(next, answers.length - 1)]
    next += 1
    if (answer instanceof Error) throw answer
    return answer ?? {}
  }
  return { status } as Backups
}

const running = { operation: 'backup', backup_id: 'b', status: 'running', phase: 'copying' }
const done = { ...running, status: 'completed' }
const unavailable = new ServiceError('UNAVAILABLE', 'cannot reach it')

t.test('it shows what runs until that has ended', async (t) => {
  const output = new Written()
  t.same(await watch(speaker(running, { ...running, phase: 'finishing' }, done), output, 'b'), done)
  t.match(output.text, /^backup .*copying\nbackup .*finishing\n$/)
})

t.test('on a terminal the bar is gone at the end, also after a failure', async (t) => {
  const output = new Written(true)
  await watch(speaker(running, done), output, 'b')
  t.ok(output.text.endsWith('copying\r\x1b[2K'))
  output.text = ''
  await t.rejects(watch(speaker(running, new Error('broken')), output, 'b'), { message: 'broken' })
  t.ok(output.text.endsWith('copying\r\x1b[2K'))
})

t.test('an answer that is missing now and then is asked for again', async (t) => {
  const busy = new ServiceError('TOO_MANY_REQUESTS', 'later')
  const breath = [unavailable, busy, unavailable, unavailable, busy, unavailable]
  t.same(await watch(speaker(running, ...breath, running, ...breath, done), new Written(), 'b'), done)
})

t.test('a service that is gone is given up', async (t) => {
  await t.rejects(watch(speaker(running, unavailable), new Written(), 'b'), unavailable)
})

t.test("another's operation is not taken for this one", async (t) => {
  const other = { ...done, backup_id: 'other' }
  await t.rejects(watch(speaker(running, other), new Written(), 'b'), {
    code: 'INTERNAL',
    message: 'cannot tell how the operation on b ended: the service now speaks of other',
  })
  await t.rejects(watch(speaker(running, { status: 'idle' }), new Written(), 'b'), {
    message: 'cannot tell how the operation on b ended: the service now knows of no operation',
  })
  t.same(await watch(speaker(running, other), new Written(), ''), other, 'where the service did not say which is ours')
})

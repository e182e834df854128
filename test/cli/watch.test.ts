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

const ofB = { backupId: 'b', operationId: '0123456789ab' }
const running = { operation: 'backup', backup_id: 'b', status: 'running', phase: 'copying' }
const done = { ...running, status: 'completed' }
const unavailable = new ServiceError('UNAVAILABLE', 'cannot reach it')

t.test('it shows what runs until that has ended', async (t) => {
  const output = new Written()
  t.same(await watch(speaker(running, { ...running, phase: 'finishing' }, done), output, ofB), done)
  t.match(output.text, /^backup .*copying\nbackup .*finishing\n$/)
})

t.test('on a terminal the bar is gone at the end, also after a failure', async (t) => {
  const output = new Written(true)
  await watch(speaker(running, done), output, ofB)
  t.ok(output.text.endsWith('copying\r\x1b[2K'))
  output.text = ''
  await t.rejects(watch(speaker(running, new Error('broken')), output, ofB), { message: 'broken' })
  t.ok(output.text.endsWith('copying\r\x1b[2K'))
})

t.test('an answer that is missing now and then is asked for again', async (t) => {
  const busy = new ServiceError('TOO_MANY_REQUESTS', 'later')
  const breath = [unavailable, busy, unavailable, unavailable, busy, unavailable]
  t.same(await watch(speaker(running, ...breath, running, ...breath, done), new Written(), ofB), done)
})

t.test('a service that is gone is given up', async (t) => {
  await t.rejects(watch(speaker(running, unavailable), new Written(), ofB), unavailable)
})

t.test("another's operation is not taken for this one", async (t) => {
  const other = { ...done, backup_id: 'other' }
  await t.rejects(watch(speaker(running, other), new Written(), ofB), {
    code: 'INTERNAL',
    message: 'cannot tell how the operation on b ended: the service now speaks of other',
  })
  await t.rejects(watch(speaker(running, { status: 'idle' }), new Written(), ofB), {
    message: 'cannot tell how the operation on b ended: the service now knows of no operation',
  })
  t.same(
    await watch(speaker(running, other), new Written(), { backupId: '', operationId: '' }),
    other,
    'where the service did not say which is ours',
  )
})

t.test('who is told does not ask; where the stream breaks, or there is none, it asks', async (t) => {
  const told = { ...done, told: true }
  const followed: string[] = []
  const teller = (...statuses: (Body | Error)[]) => ({
    ...speaker(running, done),
    async *follow(id: string) {
      followed.push(id)
      for (const status of statuses) {
        if (status instanceof Error) throw status
        yield status
      }
    },
  })
  const output = new Written()
  t.same(await watch(teller(running, { ...running, phase: 'sealing' }, told), output, ofB), told)
  t.match(output.text, /^backup .*copying\nbackup .*sealing\n$/)
  t.same(await watch(teller(running, new Error('broken')), new Written(), ofB), done)
  t.same(await watch(teller(running), new Written(), ofB), done, 'ended too early')
  t.same(followed, ['0123456789ab', '0123456789ab', '0123456789ab'])
  t.same(await watch(teller(told), new Written(), { ...ofB, operationId: '' }), done, 'whose id is not known')
})

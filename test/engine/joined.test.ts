import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Joined } from '../../src/engine/joined.js'

t.test('a crowd shares one answer, which was begun after all of them had asked', async (t) => {
  const joined = new Joined<number>()
  let [begun, running] = [0, 0]
  const look = async (): Promise<number> => {
    begun += 1
    running += 1
    t.equal(running, 1, 'one at a time')
    const own = begun
    await sleep(10)
    running -= 1
    return own
  }
  const ask = (): Promise<number> => joined.ask('list', look)
  const first = ask()
  t.same(await Promise.all([first, ask(), ask(), ask()]), [1, 2, 2, 2])
  t.equal(await ask(), 3, 'nothing is kept')
  const [fourth, fifth] = [ask(), ask()]
  await fourth
  t.same(await Promise.all([fifth, ask()]), [5, 6], 'who asks after it was begun has the next')
})

t.test('a failure is theirs who shared it; other keys are others', async (t) => {
  const joined = new Joined<string>()
  const fail = async (): Promise<string> => {
    await sleep(5)
    throw new Error('gone')
  }
  const well = async (): Promise<string> => 'there'
  const answers = [joined.ask('a', fail), joined.ask('b', well), joined.ask('a', fail), joined.ask('a', well)]
  t.match(await Promise.allSettled(answers), [
    { reason: { message: 'gone' } },
    { value: 'there' },
    { reason: { message: 'gone' } },
    { reason: { message: 'gone' } },
  ])
  t.equal(await joined.ask('a', well), 'there')
})

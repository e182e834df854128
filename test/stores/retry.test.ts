import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ServiceError } from '../../src/errors.js'
import { retry } from '../../src/stores/retry.js'

const throttled = new ServiceError('THROTTLED', 'slow down')

t.test('what time can heal is tried again, what it can not is final', async (t) => {
  let tries = 0
  const answer = await retry(
    async () => {
      tries += 1
      if (tries < 4) throw throttled
      return 'done'
    },
    { timeoutMs: 10_000 },
  )
  t.same([answer, tries], ['done', 4])
  for (const final of [new ServiceError('STORE_AUTH', 'no'), new Error('a bug')]) {
    tries = 0
    const failing = retry(
      () => {
        tries += 1
        return Promise.reject(final)
      },
      { timeoutMs: 10_000 },
    )
    await t.rejects(failing, final)
    t.equal(tries, 1)
  }
})

t.test('it ends when nothing has moved for so long; only what goes further than ever before counts', async (t) => {
  const started = Date.now()
  await t.rejects(
    retry(() => Promise.reject(throttled), { timeoutMs: 300 }),
    throttled,
  )
  t.ok(Date.now() - started >= 300)

  let [moved, tries] = [0, 0]
  const stuck = (): Promise<never> => {
    tries += 1
    // Moves on three times, then breaks at the same byte for ever.
    moved = tries < 4 ? tries : 3
    return Promise.reject(throttled)
  }
  const pauses: number[] = []
  const options = { timeoutMs: 1000, progressed: () => moved, onRetry: (_: unknown, ms: number) => pauses.push(ms) }
  await t.rejects(retry(stuck, options), throttled)
  t.ok(tries > 4)
  t.ok(pauses.every((pause) => pause <= 1000))
})

t.test('a try may take longer than the timeout, but tries that always fail late end too', async (t) => {
  // No pauses: only the tries themselves count.
  t.intercept(Math, 'random', { value: () => 0 })
  const late = async (): Promise<void> => {
    tries += 1
    await sleep(250)
    if (tries <= failures) throw throttled
  }
  let [tries, failures] = [0, 1]
  await retry(late, { timeoutMs: 100 })
  t.equal(tries, 2, 'the time counts from the first failure')

  failures = 10
  tries = 0
  await t.rejects(retry(late, { timeoutMs: 100 }), throttled)
  t.equal(tries, 3, 'each further try counts for half of the time')

  tries = 0
  await t.rejects(retry(late, { timeoutMs: 100, fromStart: true }), throttled)
  t.equal(tries, 1, 'or in full, where the time is for all')
})

t.test('what the store asks for is obeyed, or not waited for at all', async (t) => {
  const asking = new ServiceError('THROTTLED', 'slow down', { retryAfterMs: 400 })
  const pauses: number[] = []
  let tries = 0
  const started = Date.now()
  await retry(
    async () => {
      tries += 1
      if (tries === 1) throw asking
    },
    { timeoutMs: 5000, onRetry: (failure, ms) => pauses.push(failure === asking ? ms : -1) },
  )
  t.same(pauses, [400])
  t.ok(Date.now() - started >= 399)
  tries = 0
  const hopeless = retry(
    () => {
      tries += 1
      return Promise.reject(asking)
    },
    { timeoutMs: 300 },
  )
  await t.rejects(hopeless, asking)
  t.equal(tries, 1)
})

t.test('a cancel does not wait for the end of a pause', async (t) => {
  const asking = new ServiceError('THROTTLED', 'slow down', { retryAfterMs: 60_000 })
  const cancelled = new ServiceError('CANCELLED', 'stop')
  const check = (): never => {
    throw cancelled
  }
  await t.rejects(
    retry(() => Promise.reject(asking), { timeoutMs: 100_000, check }),
    cancelled,
  )
  await t.rejects(
    retry(() => Promise.reject(asking), { timeoutMs: 100_000, onRetry: check }),
    cancelled,
  )
})

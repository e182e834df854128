import t from 'tap'
import { type LimitOptions, Limits } from '../../src/engine/limits.js'
import { ServiceError } from '../../src/errors.js'
import { retry } from '../../src/stores/retry.js'

const mib = 1 << 20
const options: LimitOptions = {
  memory: 512 * mib,
  bandwidth: null,
  priority: 'normal',
  stores: ['target:far'],
  threads: 2,
  most: 64,
}

/** Fails once, and is tried again. */
async function stumble(code: 'THROTTLED' | 'STORE_TIMEOUT' | 'STORE_UNREACHABLE', store: string): Promise<void> {
  let failed = false
  await retry(
    async () => {
      if (failed) return
      failed = true
      throw new ServiceError(code, 'no', { store, retryAfterMs: 1 })
    },
    { timeoutMs: 1000 },
  )
}

t.test('what a store says to one thread holds for all', async (t) => {
  for (const [code, limit] of [
    ['THROTTLED', 16],
    ['STORE_TIMEOUT', 16],
    ['STORE_UNREACHABLE', 32],
  ] as const) {
    const limits = new Limits(options)
    const thread = new Limits(limits.data)
    const end = thread.watch('target:far', { url: 's3://far' })
    await stumble(code, 's3://near')
    t.equal(limits.flights.read()[0]?.limit, 32, 'another store')
    await stumble(code, 's3://far')
    t.equal(limits.flights.read()[0]?.limit, limit, code)
    end()
  }
})

t.test('threads share what there is; what they keep of old buffers is a part of it', async (t) => {
  const limits = new Limits({ ...options, bandwidth: 1_000_000 })
  const thread = new Limits(limits.data)
  t.equal(limits.memory.limit, (512 - 2 * 32) * mib)
  t.equal(await thread.memory.take(mib, () => {}), mib)
  t.equal(limits.memory.used, mib)
  limits.bandwidth.set(2_000_000)
  t.equal(thread.bandwidth.limit, 2_000_000)
  t.same(limits.read(), { bandwidth: 2_000_000, memory: 512 * mib, priority: 'normal', workers: 2 })
  t.equal(new Limits({ ...options, memory: 16 * mib }).memory.limit, 12 * mib)
})

import t from 'tap'
import { regardless, stoppable, stopSignal } from '../../src/stores/stopping.js'

/** As a request does that is broken off. */
const untilAborted = () =>
  new Promise<never>((_, reject) => {
    const signal = stopSignal()
    signal?.addEventListener('abort', () => reject(signal.reason))
  })

t.test('what waits is broken off once it is to stop, and says why', async (t) => {
  t.equal(stopSignal(), undefined)
  const began = performance.now()
  const check = () => {
    if (performance.now() - began > 100) throw new Error('cancelled')
  }
  await t.rejects(stoppable(check, untilAborted), { message: 'cancelled' })
  t.ok(performance.now() - began < 2000)
})

t.test('what ends by itself is not asked; what is to be done all the same is not broken off', async (t) => {
  const stop = () => {
    throw new Error('cancelled')
  }
  t.equal(await stoppable(stop, async () => 7), 7)
  const seen = await stoppable(stop, async () => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    return [stopSignal()?.aborted, await regardless(async () => stopSignal()), stopSignal()?.aborted]
  })
  t.same(seen, [true, undefined, true])
  t.equal(await regardless(async () => 8), 8)
})

import { hostname } from 'node:os'
import t from 'tap'
import { Slots } from '../../src/engine/slot.js'

t.test('of many at once one gets in; the others learn who did', async (t) => {
  const slots = new Slots('somebody is there')
  const refusal = (): unknown => {
    try {
      return slots.enter('restore')
    } catch (error) {
      return error
    }
  }
  const tries = await Promise.allSettled(Array.from({ length: 100 }, () => slots.enterAfterSweep('backup')))
  const [won, ...more] = tries.filter((one) => one.status === 'fulfilled')
  if (!won) throw new Error('nobody got in')
  t.same(more, [])
  t.match(refusal(), { code: 'BUSY', message: 'somebody is there', detail: { operation: 'backup', heldBy: undefined } })
  const since = '2026-01-02T03:04:05.000Z'
  won.value.holder = { operation: 'a1', since }
  t.match(refusal(), { code: 'BUSY', detail: { heldBy: { host: hostname(), operation: 'a1', since } } })
  t.ok(slots.taken)
  slots.leave(won.value)
  await won.value.ended
  t.notOk(slots.taken)
  slots.leave(slots.enter('restore'))
})

t.test('a client waits for a sweep, and for nothing else', async (t) => {
  const slots = new Slots()
  const sweep = slots.enter('sweep')
  let entered = false
  const waiting = slots.enterAfterSweep('backup').then((slot) => {
    entered = true
    return slot
  })
  t.throws(() => slots.enter('backup'), { code: 'BUSY' }, 'who does not wait is refused')
  await new Promise(setImmediate)
  t.notOk(entered)
  slots.leave(sweep)
  const slot = await waiting
  await t.rejects(slots.enterAfterSweep('backup'), { code: 'BUSY' })
  const idle = slots.idle()
  slots.leave(slot)
  await idle
})

t.test('once closed nobody gets in, also who waits already', async (t) => {
  const slots = new Slots()
  const sweep = slots.enter('sweep')
  const waiting = slots.enterAfterSweep('backup')
  slots.close()
  slots.leave(sweep)
  await t.rejects(waiting, { code: 'UNAVAILABLE' })
  t.throws(() => slots.enter('sweep'), { code: 'UNAVAILABLE', message: 'the service is shutting down' })
  t.ok(slots.taken && slots.closed)
  await slots.idle()
})

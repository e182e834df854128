import { getEventListeners } from 'node:events'
import t from 'tap'
import { abortable, Stopped } from '../../src/schedule/stopped.js'

t.test('the signal is faster, or nothing has changed', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  t.equal(await abortable(Promise.resolve(7), signal), 7)
  await t.rejects(abortable(Promise.reject(new Error('its own')), signal), { message: 'its own' })
  const waiting = abortable(new Promise(() => {}), signal)
  controller.abort()
  await t.rejects(waiting, new Stopped())
  await t.rejects(abortable(new Promise(() => {}), signal), new Stopped(), 'also where it came before')
  t.same(getEventListeners(signal, 'abort'), [], 'nobody is left listening')
})

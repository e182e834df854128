import t from 'tap'
import { type Priority, Rest } from '../../src/engine/rest.js'

/** Ms that a thread rests while it works for a second, a file each ms. */
function restOf(priority: Priority): number {
  let [now, rested] = [1000, 0]
  const rest = new Rest(
    priority,
    () => now,
    (ms) => {
      now += ms
      rested += ms
    },
  )
  for (let file = 0; file < 1000; file += 1) {
    now += 1
    rest.after()
  }
  return rested
}

t.test('in low priority a thread rests a fifth of its time, otherwise never', async (t) => {
  t.equal(restOf('low'), 250)
  t.equal(restOf('normal'), 0)
})

t.test('it really stands still', async (t) => {
  const rest = new Rest('low')
  const began = performance.now()
  rest.after()
  t.ok(performance.now() - began >= 9)
})

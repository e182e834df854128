import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { runLanes } from '../../src/engine/lanes.js'

t.test('every item, so many at once and no more', async (t) => {
  let [running, most] = [0, 0]
  const seen: number[] = []
  await runLanes(
    3,
    Array.from({ length: 20 }, (_, index) => index),
    async (item) => {
      running += 1
      most = Math.max(most, running)
      await sleep(item % 3)
      seen.push(item)
      running -= 1
    },
  )
  t.equal(most, 3)
  t.equal(running, 0)
  t.same(
    seen.sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index),
  )
  await runLanes(3, [], async () => {
    t.fail('there is no item')
  })
})

t.test('how many at once may change at any time', async (t) => {
  let [running, ended, most] = [0, 0, 4]
  const seen: number[] = []
  await runLanes(
    () => most,
    Array.from({ length: 40 }, (_, index) => index),
    async () => {
      running += 1
      await sleep(2)
      seen.push(running)
      running -= 1
      ended += 1
      most = ended < 12 ? 4 : ended < 24 ? 1 : 6
    },
  )
  t.equal(ended, 40)
  t.equal(Math.max(...seen.slice(0, 12)), 4)
  // Those that were under way end.
  t.equal(Math.max(...seen.slice(16, 24)), 1)
  t.equal(Math.max(...seen.slice(26)), 6)
})

t.test('items are pulled only when a lane is free', async (t) => {
  let [pulled, ended] = [0, 0]
  function* items(): Generator<number> {
    for (; pulled < 10; ) {
      t.ok(pulled - ended <= 2, `${pulled} pulled, ${ended} ended`)
      pulled += 1
      yield pulled
    }
  }
  await runLanes(2, items(), async () => {
    await sleep(1)
    ended += 1
  })
  t.equal(ended, 10)
})

t.test('the first failure is thrown, once the others have ended; no more items are pulled', async (t) => {
  let [pulled, ended, closed] = [0, 0, false]
  async function* items(): AsyncGenerator<number> {
    try {
      for (;;) yield pulled++
    } finally {
      closed = true
    }
  }
  const failing = runLanes(3, items(), async (item) => {
    if (item === 1) throw new Error('the first')
    await sleep(20)
    ended += 1
    if (item === 0) throw new Error('the second')
  })
  await t.rejects(failing, { message: 'the first' })
  t.equal(ended, pulled - 1, 'nothing still runs')
  t.ok(pulled <= 4)
  t.ok(closed)
})

t.test('a source of items that fails: what runs ends first', async (t) => {
  let ended = false
  function* items(): Generator<number> {
    yield 1
    throw new Error('no more items')
  }
  const failing = runLanes(3, items(), async () => {
    await sleep(10)
    ended = true
  })
  await t.rejects(failing, { message: 'no more items' })
  t.ok(ended)
})

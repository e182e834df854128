import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { MemoryBudget } from '../../src/engine/memory-budget.js'

const mib = 1 << 20
const never = (): void => {}

t.test('files of several threads have no more than there is at any time, and all of them get their turn', async (t) => {
  const first = new MemoryBudget(10 * mib)
  const threads = [first, new MemoryBudget(first.buffer), new MemoryBudget(first.buffer)]
  let [held, most, ended] = [0, 0, 0]
  const files = threads.flatMap((thread) =>
    Array.from({ length: 40 }, async (_, index) => {
      // Every tenth wants more than there is.
      const wanted = index % 10 === 0 ? 40 * mib : (1 + (index % 5)) * mib
      await thread.within(wanted, never, async (taken) => {
        t.ok(taken === Math.min(wanted, first.limit))
        held += taken
        most = Math.max(most, held)
        await sleep(index % 3)
        held -= taken
      })
      ended += 1
    }),
  )
  await Promise.all(files)
  t.equal(ended, 120)
  t.ok(most <= 10 * mib, `${most} bytes at once`)
  t.equal(first.used, 0)
})

t.test('a large file is not kept waiting by small ones that come later', async (t) => {
  const large = new MemoryBudget(8 * mib)
  const small = new MemoryBudget(large.buffer)
  let isOver = false
  const lanes = Array.from({ length: 8 }, async () => {
    while (!isOver) await small.within(mib, never, () => sleep(20))
  })
  await sleep(10)
  t.equal(large.used, 8 * mib)
  const began = performance.now()
  await large.within(8 * mib, never, async () => t.equal(large.used, 8 * mib))
  t.ok(performance.now() - began < 1500)
  isOver = true
  await Promise.all(lanes)
})

t.test('who is not wanted any more leaves the others their turn', async (t) => {
  const budget = new MemoryBudget(mib)
  const other = new MemoryBudget(budget.buffer)
  const all = await budget.take(mib, never)
  const cancelled = budget.take(mib, () => {
    throw new Error('cancelled')
  })
  const next = budget.take(mib / 2, never)
  const elsewhere = other.take(mib / 2, never)
  await t.rejects(cancelled, { message: 'cancelled' })
  budget.giveBack(all)
  t.same(await Promise.all([next, elsewhere]), [mib / 2, mib / 2])
})

t.test('what a thread had that died is there again', async (t) => {
  const budget = new MemoryBudget(mib)
  await budget.take(mib, never)
  const waits = budget.take(mib, never)
  budget.forget()
  await waits
  // That of the other thread comes back too, and is not counted twice.
  budget.giveBack(mib)
  budget.giveBack(mib)
  t.equal(budget.used, 0)
})

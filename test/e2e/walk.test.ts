import t from 'tap'
import { randomFrom } from '../campaigns/random.js'
import { walk } from '../campaigns/walk.js'

// A small sample of `npm run walk`.

t.setTimeout(900_000)

t.test('120 steps of anything, in any order: what is there is what the model says', async (t) => {
  const names = new Set<string>()
  let steps = 0
  for await (const { name, outcome, wrong } of walk(t, t.testdir({}), { steps: 120, random: randomFrom(1) })) {
    steps += 1
    names.add(name)
    if (wrong.length > 0) t.fail(`step ${steps}, ${name}: ${outcome}`, { wrong })
  }
  t.equal(steps, 120)
  t.equal(names.size, 16, 'every kind of step')
})

import t from 'tap'
import { cutPower } from '../campaigns/power-cuts.js'
import { randomFrom } from '../campaigns/random.js'

// A small sample of `npm run power-cuts`: with this seed a backup and a restore that had just been completed.

t.setTimeout(900_000)

t.test(
  'after a power cut every backup with a manifest is whole, and every restore that was completed is there',
  async (t) => {
    let cuts = 0
    for await (const { kind, phase, wrong } of cutPower(t, t.testdir({}), { cuts: 2, random: randomFrom(3) })) {
      t.same(wrong, [], `${kind}, ${phase}`)
      cuts += 1
    }
    t.equal(cuts, 2)
  },
)

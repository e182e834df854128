import t from 'tap'
import { crashCampaign } from '../campaigns/crash.js'
import { makeGround } from '../campaigns/crash-ground.js'
import { randomFrom } from '../campaigns/random.js'

// A small sample of `npm run crash`.

t.setTimeout(900_000)

for (const [store, kills] of [
  ['local', 10],
  ['minio', 3],
  ['azurite', 3],
] as const) {
  t.test(`${store}: killed at any instant, it loses nothing and leaves nothing`, async (t) => {
    const ground = await makeGround(t, t.testdir({}), store)
    let kill = 0
    for await (const { kind, phase, wrong } of crashCampaign(ground, { kills, random: randomFrom(kills) })) {
      kill += 1
      t.same(wrong, [], `kill ${kill}: ${kind}, ${phase}`)
    }
    t.equal(kill, kills)
  })
}

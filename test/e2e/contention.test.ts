import t from 'tap'
import { contend, makeArena, pauseHolder, takeOver } from '../campaigns/contention.js'
import { randomFrom } from '../campaigns/random.js'

// A small sample of `npm run contention`.

t.setTimeout(600_000)

for (const [store, rounds] of [
  ['local', 2],
  ['minio', 1],
  ['azurite', 1],
] as const) {
  t.test(
    `${store}: two services and the command line: never two writers, and each loser learns of the other`,
    async (t) => {
      const arena = await makeArena(t, t.testdir({}), store)
      for await (const { wrong, winners } of contend(arena, { rounds, random: randomFrom(5) })) {
        t.same(wrong, [])
        t.ok(winners > 0)
      }
      for await (const { wrong } of takeOver(arena, 1)) t.same(wrong, [], 'a holder that is killed')
      for await (const { wrong } of pauseHolder(arena, 1)) t.same(wrong, [], 'a holder that stands still')
    },
  )
}

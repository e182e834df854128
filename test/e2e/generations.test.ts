import t from 'tap'
import { makeGround } from '../campaigns/crash-ground.js'
import { generations } from '../campaigns/generations.js'
import { randomFrom } from '../campaigns/random.js'

// A small sample of `npm run generations`.

t.setTimeout(600_000)

for (const [store, backups, files] of [
  ['local', 6, 60],
  ['minio', 3, 40],
  ['azurite', 3, 40],
] as const) {
  t.test(`${store}: backups of a source that changes are whole, whichever of them are removed`, async (t) => {
    const folder = t.testdir({})
    const ground = await makeGround(t, folder, store)
    const measured = store === 'local' ? { measured: `${folder}/backups` } : {}
    let steps = 0
    for await (const { name, wrong } of generations(ground, {
      backups,
      files,
      size: 256 << 10,
      random: randomFrom(6),
      ...measured,
    })) {
      t.same(wrong, [], name)
      steps += 1
    }
    t.equal(steps, 2 * backups + (store === 'local' ? 2 : 1))
  })
}

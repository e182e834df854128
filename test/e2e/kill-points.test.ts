import t from 'tap'
import { KillGround, kinds } from '../campaigns/kill-points.js'

// A small sample of `npm run kill-points`. It needs strace; without it this test fails and says so.

t.setTimeout(600_000)

t.test('killed at a system call that changes something: nothing is lost, nothing is left', async (t) => {
  const ground = await KillGround.open(t, t.testdir({}))
  for (const kind of kinds) {
    const points = await ground.points(kind)
    t.ok(points.length > 20, `${kind}: ${points.length} points`)
    let kills = 0
    for (const part of [0.4, 0.8]) {
      const point = points[Math.floor(part * points.length)]
      if (!point) throw new Error('there are too few points')
      const { killed, wrong } = await ground.kill(point)
      t.same(wrong, [], `${kind}: ${point.call} ${point.nth}`)
      if (killed) kills += 1
    }
    t.ok(kills > 0, `${kind}: ${kills} kills`)
  }
})

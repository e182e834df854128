import t from 'tap'
import { FuzzGround } from '../campaigns/fuzz.js'

// A small sample of `npm run fuzz`.

t.setTimeout(600_000)

t.test(
  '400 hostile requests: no 5xx, no stack, no secret, no file outside, no line of the log that is not one',
  async (t) => {
    const ground = await FuzzGround.open(t, t.testdir({}))
    const counts = await ground.send(400, 1)
    const { wrong, memory } = await ground.end()
    t.same(wrong, [])
    t.ok(memory < 500 * 2 ** 20, `${memory} bytes of memory`)
    for (const status of [200, 202, 400, 401, 403, 404, 405, 413])
      t.ok(counts[status], `some were answered with ${status}`)
  },
)

import { totalmem } from 'node:os'
import t from 'tap'
import { usualMemoryLimit } from '../../src/config/memory.js'

const gib = 2 ** 30

t.test('a quarter of what the container may use, else of the machine, at most 1 GiB', async (t) => {
  t.equal(usualMemoryLimit(gib, 64 * gib), gib / 4)
  t.equal(usualMemoryLimit(16 * gib, 64 * gib), gib)
  t.equal(usualMemoryLimit(0, 2 * gib), gib / 2, 'no container')
  t.equal(usualMemoryLimit(2 ** 64, 2 * gib), gib / 2, 'one without a limit')
  t.equal(usualMemoryLimit(0, 64 * gib), gib)
  t.ok(usualMemoryLimit() <= totalmem() / 4)
})

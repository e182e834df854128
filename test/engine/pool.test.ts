import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Limits } from '../../src/engine/limits.js'
import { openPool } from '../../src/engine/pool.js'

for (const [priority, steps] of [
  ['normal', 10],
  ['low', 19],
] as const) {
  t.test(`threads that move bytes, and they alone, stand back for those that answer: ${priority}`, async (t) => {
    const usual = niceOf(process.pid)
    const limits = new Limits({ memory: 1 << 30, bandwidth: null, priority, stores: [], threads: 2, most: 64 })
    const pool = openPool({ workers: 2, stores: { at: { kind: 'local', root: t.testdir({}) } }, limits })
    t.teardown(() => pool.close())
    const task = { kind: 'list', store: 'at', folders: [''], excluded: [], namesOnly: false } as const
    await Promise.all([pool.list(task), pool.list(task)])
    const threads = readdirSync('/proc/self/task').map(Number)
    t.equal(niceOf(process.pid), usual, 'the main thread is as it was')
    const back = threads.filter((thread) => niceOf(thread) === Math.min(usual + steps, 19)).length
    t.ok(back === 2 || (back === 3 && priority === 'low'), 'in low priority also that which works on arc.db')
  })
}

t.test('no thread is ended while it loads its code', async (t) => {
  const meters = new SharedArrayBuffer(4)
  const entry = fileURLToPath(import.meta.resolve('./pool-thread.js'))
  const pool = openPool({ workers: 2, stores: {}, entry, meters })
  await pool.close()
  t.equal(new Int32Array(meters)[0], 2, 'both had loaded it')
})

/** The fields after the name in parentheses are counted from 3; nice is 19. */
function niceOf(thread: number): number {
  const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
}

import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { openPool } from '../../src/engine/pool.js'

t.test('threads that move bytes, and they alone, stand back for those that answer', async (t) => {
  const usual = niceOf(process.pid)
  const pool = openPool({ workers: 2, stores: { at: { kind: 'local', root: t.testdir({}) } } })
  t.teardown(() => pool.close())
  const task = { kind: 'list', store: 'at', folders: [''], excluded: [], namesOnly: false } as const
  await Promise.all([pool.list(task), pool.list(task)])
  const threads = readdirSync('/proc/self/task').map(Number)
  t.equal(niceOf(process.pid), usual, 'the main thread is as it was')
  t.equal(threads.filter((thread) => niceOf(thread) === Math.min(usual + 10, 19)).length, 2)
})

/** The fields after the name in parentheses are counted from 3; nice is 19. */
function niceOf(thread: number): number {
  const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
}

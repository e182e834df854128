import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { inPieces, Watch } from '../../src/stores/azure-watch.js'

t.test('it breaks off when nothing moves, and only then', async (t) => {
  const watch = new Watch(100)
  for (let moves = 0; moves < 4; moves += 1) {
    await sleep(50)
    watch.moved()
  }
  t.notOk(watch.signal.aborted)
  await sleep(200)
  t.ok(watch.signal.aborted)
  const ended = new Watch(20)
  ended.end()
  await sleep(60)
  t.notOk(ended.signal.aborted)
})

t.test('a body in pieces is the body', async (t) => {
  const watch = new Watch(1000)
  for (const size of [1, 9, 10, 11, 25]) {
    const body = Buffer.from(Array.from({ length: size }, (_, index) => index))
    const parts: Buffer[] = []
    for await (const part of inPieces(body, 10, watch)) parts.push(part)
    t.ok(Buffer.concat(parts).equals(body))
    t.equal(parts.length, Math.ceil(size / 10))
  }
  watch.end()
})

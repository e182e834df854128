import t from 'tap'
import { Gate } from '../../src/auth/gate.js'

/** Actions that end when they are told to, and what has begun so far. */
function stage(gate: Gate) {
  const begun: string[] = []
  const ends = new Map<string, (error?: Error) => void>()
  const run = (name: string) =>
    gate.run(() => {
      begun.push(name)
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error ? reject(error) : resolve(name)))
      })
    })
  return { begun, run, end: (name: string, error?: Error) => ends.get(name)?.(error) }
}

t.test('so many run, so many wait in turn, the next is sent away', async (t) => {
  const { begun, run, end } = stage(new Gate(2, 2))
  const [a, b, c, d] = [run('a'), run('b'), run('c'), run('d')]
  t.same(begun, ['a', 'b'])
  await t.rejects(run('e'), { code: 'TOO_MANY_REQUESTS', status: 429, detail: { retryAfterSeconds: 2 } })
  end('b')
  t.equal(await b, 'b')
  t.same(begun, ['a', 'b', 'c'], 'who came first goes first')
  const f = run('f')
  await t.rejects(run('g'), { code: 'TOO_MANY_REQUESTS' }, 'the queue is full again')
  end('a')
  await a
  end('c')
  await c
  t.same(begun, ['a', 'b', 'c', 'd', 'f'])
  end('d')
  end('f')
  t.same(await Promise.all([d, f]), ['d', 'f'])
})

t.test('a failure is its own, and gives its place back', async (t) => {
  const { begun, run, end } = stage(new Gate(1, 1))
  const [a, b] = [run('a'), run('b')]
  end('a', new Error('no'))
  await t.rejects(a, { message: 'no' })
  t.same(begun, ['a', 'b'])
  end('b', new Error('neither'))
  await t.rejects(b, { message: 'neither' })
  const [c, d] = [run('c'), run('d')]
  t.same(begun, ['a', 'b', 'c'], 'one place, not two')
  end('c')
  await c
  end('d')
  t.equal(await d, 'd')
})

t.test('nobody may wait', async (t) => {
  const { run, end } = stage(new Gate(1, 0))
  const a = run('a')
  await t.rejects(run('b'), { code: 'TOO_MANY_REQUESTS' })
  end('a')
  t.equal(await a, 'a')
})

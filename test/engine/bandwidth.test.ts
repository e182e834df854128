import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { Bandwidth } from '../../src/engine/bandwidth.js'
import type { ThreadData } from './bandwidth-thread.js'

const never = (): void => {}
const mib = 1 << 20

/** Threads that share a limit; `end` stops them and answers what each has moved. */
function start(t: Test, bandwidth: Bandwidth, threads: readonly Pick<ThreadData, 'size' | 'lanes'>[]) {
  const stop = new SharedArrayBuffer(4)
  const workers = threads.map(
    (how) =>
      new Worker(new URL(import.meta.resolve('./bandwidth-thread.js')), {
        workerData: { bandwidth: bandwidth.buffer, stop, ...how } satisfies ThreadData,
      }),
  )
  t.teardown(() => Promise.all(workers.map((worker) => worker.terminate())))
  const message = async (worker: Worker): Promise<unknown> => (await once(worker, 'message'))[0]
  return {
    ready: () => Promise.all(workers.map(message)),
    end: () => {
      Atomics.store(new Int32Array(stop), 0, 1)
      return Promise.all(workers.map(message)) as Promise<{ bytes: number; reasons: string[] }[]>
    },
  }
}

t.test('threads share a limit in equal parts, whatever the size of their files and the way they wait', async (t) => {
  const bandwidth = new Bandwidth()
  // Nothing to speak of until all of them are there.
  bandwidth.set(1000)
  const threads = start(t, bandwidth, [
    { size: 16 << 10, lanes: 0 },
    { size: mib, lanes: 0 },
    { size: 64 << 10, lanes: 16 },
  ])
  await threads.ready()
  bandwidth.set(20_000_000)
  const began = performance.now()
  await sleep(2000)
  const moved = await threads.end()
  const seconds = (performance.now() - began) / 1000
  const total = moved.reduce((sum, { bytes }) => sum + bytes, 0)
  // A fifth of a second may be made up for, and each thread has a file on its way.
  const most = 20_000_000 * (seconds + 0.2) + 2 * mib
  t.ok(total <= most, `${total} bytes in ${seconds} s`)
  t.ok(total >= 0.8 * 20_000_000 * seconds, `${total} bytes in ${seconds} s`)
  const [least = 0, greatest = 0] = [Math.min, Math.max].map((of) => of(...moved.map(({ bytes }) => bytes)))
  t.ok(greatest - least <= 0.15 * greatest + 2 * mib, `from ${least} to ${greatest} bytes`)
})

t.test('who waits, in whatever way, ends at once when that is asked', async (t) => {
  const bandwidth = new Bandwidth()
  bandwidth.set(1000)
  const threads = start(t, bandwidth, [
    { size: 100 * mib, lanes: 0 },
    { size: 100 * mib, lanes: 3 },
  ])
  await threads.ready()
  await sleep(500)
  const began = performance.now()
  const ended = await threads.end()
  t.ok(performance.now() - began < 2000)
  t.same(
    ended.flatMap(({ reasons }) => reasons),
    ['stopped', 'stopped', 'stopped', 'stopped'],
  )
})

t.test('another limit holds at once, also for who waits', async (t) => {
  const bandwidth = new Bandwidth()
  t.equal(bandwidth.limit, null)
  t.equal(bandwidth.pay(mib, never), undefined, 'without one nobody waits')
  bandwidth.set(100_000)
  t.equal(bandwidth.limit, 100_000)
  const began = performance.now()
  const paid = bandwidth.pay(mib, never)
  await sleep(300)
  bandwidth.set(1_000_000_000)
  await paid
  t.ok(performance.now() - began < 2000, 'it would have taken ten seconds')
  bandwidth.set(1000)
  const endless = bandwidth.pay(mib, never)
  await sleep(100)
  bandwidth.set(null)
  await endless
  t.equal(bandwidth.limit, null)
})

import { Worker } from 'node:worker_threads'
import t from 'tap'
import { BatchProgress, Progress } from '../../src/engine/progress.js'

t.test('counters add up across threads', async (t) => {
  const progress = new Progress()
  t.same([progress.read('files'), progress.read('bytes')], [0, 0])
  progress.add('bytes', 2 ** 40)
  progress.add('files', 3)
  progress.add('bytes', -5)
  new Progress(progress.buffer).add('bytes', 1)
  t.same([progress.read('files'), progress.read('bytes')], [3, 2 ** 40 - 4])
  t.equal(structuredClone(progress.buffer).byteLength, progress.buffer.byteLength)

  const code = `const { workerData } = require('node:worker_threads')
    const bytes = new BigInt64Array(workerData, 0, 2)
    for (let turn = 0; turn < 10000; turn += 1) Atomics.add(bytes, 1, 1n)`
  const before = progress.read('bytes')
  const threads = [1, 2].map(() => new Worker(code, { eval: true, workerData: progress.buffer }))
  for (let turn = 0; turn < 10_000; turn += 1) progress.add('bytes', 1)
  await Promise.all(threads.map((thread) => new Promise((done) => thread.once('exit', done))))
  t.equal(progress.read('bytes') - before, 30_000)
})

t.test('a stop is seen by everyone who has the buffer; the first reason stands', async (t) => {
  for (const reason of ['CANCELLED', 'INTERRUPTED', 'TIMEOUT'] as const) {
    const progress = new Progress()
    const other = new Progress(progress.buffer)
    t.equal(other.stopped, null)
    other.check()
    progress.stop(reason)
    progress.stop('CANCELLED')
    other.stop('TIMEOUT')
    t.equal(other.stopped, reason)
    t.throws(() => other.check(), { code: reason })
  }
  const late = new Progress()
  late.stop('TIMEOUT')
  t.throws(() => late.check(), { message: /backup\.operation_timeout/ })
})

t.test('a thread passes on what it counts now and then, and what is left at the end', async (t) => {
  const progress = new Progress()
  const batch = new BatchProgress(progress)
  batch.addFile()
  batch.addBytes(1000)
  t.same([progress.read('files'), progress.read('bytes')], [0, 0], 'an atomic addition for each small file is felt')
  batch.addBytes(1 << 20)
  t.same([progress.read('files'), progress.read('bytes')], [1, (1 << 20) + 1000])
  batch.addFile()
  batch.addBytes(-1000)
  batch.flush()
  batch.flush()
  t.same([progress.read('files'), progress.read('bytes')], [2, 1 << 20])
})

import t from 'tap'
import { WriteBack } from '../../src/engine/write-back.js'

/** A disk that is synced when it is told to be. */
function disk() {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  return { waiting, sync: () => new Promise<void>((resolve, reject) => waiting.push({ resolve, reject })) }
}

t.test('one sync at a time, begun each 96 MiB; the last one begins when the one under way has ended', async (t) => {
  const { waiting, sync } = disk()
  const writeBack = new WriteBack({ sync }, 'backup')
  writeBack.written(95 << 20)
  t.equal(waiting.length, 0)
  writeBack.written(97 << 20)
  writeBack.written(400 << 20)
  t.equal(waiting.length, 1)
  let finished = false
  const end = writeBack.finish().then(() => {
    finished = true
  })
  waiting[0]?.resolve()
  await new Promise(setImmediate)
  t.equal(waiting.length, 2)
  t.notOk(finished)
  waiting[1]?.resolve()
  await end
})

t.test('an error that the disk reports to an early sync is not lost', async (t) => {
  const { waiting, sync } = disk()
  const writeBack = new WriteBack({ sync }, 'backup')
  writeBack.begin(1)
  waiting[0]?.reject(new Error('the disk is broken'))
  await new Promise(setImmediate)
  writeBack.begin(2)
  waiting[1]?.resolve()
  await t.rejects(writeBack.finish(), { message: 'the disk is broken' })
})

t.test('a store without such a step is done at once', async () => {
  const writeBack = new WriteBack({}, 'backup')
  writeBack.begin(1)
  await writeBack.finish()
})

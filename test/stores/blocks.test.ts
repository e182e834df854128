import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { giveBack, keepAtMost, lend } from '../../src/stores/blocks.js'
import { LocalStore } from '../../src/stores/local.js'

t.test('a block that came back is lent again, whole, to one only', async (t) => {
  const block = lend(100_000)
  t.equal(block.length, 100_000)
  giveBack(block.subarray(10, 20))
  const again = lend(120_000)
  t.equal(again.buffer, block.buffer)
  t.equal(again.length, 120_000)
  t.equal(again.byteOffset, 0)
  t.not(lend(100_000).buffer, block.buffer, 'while it is lent')
  giveBack(again)
  giveBack(block)
  t.equal(lend(100_000).buffer, block.buffer)
  t.not(lend(100_000).buffer, block.buffer, 'it came back twice, and is there once')
})

t.test('what was not lent is not kept, nor is more than 32 MiB', async (t) => {
  const own = Buffer.alloc(1 << 17)
  giveBack(own)
  t.not(lend(1 << 17).buffer, own.buffer)
  const many = Array.from({ length: 5 }, () => lend(8 << 20))
  for (const block of many) giveBack(block)
  const again = Array.from({ length: 5 }, () => lend(8 << 20))
  const memory = new Set(many.map(({ buffer }) => buffer))
  t.ok(again.filter(({ buffer }) => memory.has(buffer)).length <= 4)
  t.ok(again.some(({ buffer }) => memory.has(buffer)))
})

t.test('or less, where that is asked', async (t) => {
  keepAtMost(1 << 20)
  t.teardown(() => keepAtMost(32 << 20))
  // What was kept before goes first.
  for (let index = 0; index < 10; index += 1) lend(1 << 20)
  const two = [lend(1 << 20), lend(1 << 20)]
  for (const block of two) giveBack(block)
  const again = [lend(1 << 20), lend(1 << 20)]
  const memory = new Set(two.map(({ buffer }) => buffer))
  t.ok(again.filter(({ buffer }) => memory.has(buffer)).length <= 1)
})

t.test(
  'two files at once, read by consumers that give back and take their time: every byte is the right one',
  async (t) => {
    const folder = t.testdir({})
    const store = new LocalStore(folder)
    const seen = new Set<ArrayBufferLike>()
    const check = async (name: string, pause: number): Promise<void> => {
      const content = randomBytes((3 << 20) + 77)
      writeFileSync(`${folder}/${name}`, content)
      const hash = createHash('sha256')
      for await (const chunk of (await store.read(name)) as AsyncIterable<Buffer>) {
        await sleep(pause)
        hash.update(chunk)
        seen.add(chunk.buffer)
        giveBack(chunk)
      }
      t.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'))
    }
    await Promise.all([check('a', 1), check('b', 3)])
    t.ok(seen.size <= 8, `26 blocks in ${seen.size} buffers`)
  },
)

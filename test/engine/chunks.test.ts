import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { pack } from '../../src/engine/batch.js'
import { batchesOf, completeListing, Listing } from '../../src/engine/chunks.js'
import { Inventory } from '../../src/engine/inventory.js'

function open(t: Test): { inventory: Inventory; add: (path: string) => void } {
  const inventory = new Inventory(`${t.testdir({})}/inventory.db`)
  t.teardown(() => inventory.close())
  return { inventory, add: (path) => inventory.add(pack([{ path, size: 1, mtimeNs: 0n }])) }
}

async function collect(batches: AsyncIterable<{ paths: string }>): Promise<string[]> {
  const found: string[] = []
  for await (const { paths } of batches) found.push(paths)
  return found
}

t.test('batches come as they are listed, to several readers, and end with the listing', async (t) => {
  const { inventory, add } = open(t)
  const listing = new Listing()
  const [first, second] = [batchesOf(inventory, listing), batchesOf(inventory, listing)]
  const [one, two] = [first.next(), second.next()]
  add('a')
  listing.advance()
  t.match(await one, { value: { paths: 'a' }, done: false })
  t.match(await two, { value: { paths: 'a' }, done: false })
  add('b')
  const rest = collect(first)
  add('c')
  listing.advance()
  add('d')
  listing.finish()
  t.same(await rest, ['b', 'c', 'd'])
  t.same(await collect(second), ['b', 'c', 'd'])
  t.equal(listing.done, true)
})

t.test('what is listed last, in the same turn as the end, is not lost to a reader that waits', async (t) => {
  const { inventory, add } = open(t)
  const listing = new Listing()
  const waiting = collect(batchesOf(inventory, listing))
  await nextTurn()
  add('last')
  listing.finish()
  t.same(await waiting, ['last'])
})

t.test(
  'a listing that fails throws what it failed with, to readers that wait and to those that come later',
  async (t) => {
    const { inventory, add } = open(t)
    const listing = new Listing()
    add('a')
    const waiting = collect(batchesOf(inventory, listing))
    listing.finish(new Error('the disk is gone'))
    await t.rejects(waiting, { message: 'the disk is gone' })
    await t.rejects(collect(batchesOf(inventory, listing)), { message: 'the disk is gone' })
  },
)

t.test('a listing that is complete from the start, and batches after one', async (t) => {
  const { inventory, add } = open(t)
  t.same(await collect(batchesOf(inventory, completeListing())), [])
  for (const path of ['a', 'b', 'c']) add(path)
  t.same(await collect(batchesOf(inventory, completeListing())), ['a', 'b', 'c'])
  t.same(await collect(batchesOf(inventory, completeListing(), 1)), ['b', 'c'])
})

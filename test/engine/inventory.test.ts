import t, { type Test } from 'tap'
import { type BatchFile, pack, packBatches, unpack } from '../../src/engine/batch.js'
import { Inventory, type StoredBatch } from '../../src/engine/inventory.js'

function open(t: Test): Inventory {
  const inventory = new Inventory(`${t.testdir({})}/inventory.db`)
  t.teardown(() => inventory.close())
  return inventory
}

function files(count: number, folder = 'db/m'): BatchFile[] {
  return Array.from({ length: count }, (_, index) => ({
    path: `${folder}/${index} é.parquet`,
    size: index,
    mtimeNs: BigInt(index) * 1_000_000_001n,
    sha256: index.toString(16).padStart(64, '0'),
  }))
}

t.test('batches come back as they were put in, one at a time and in order', async (t) => {
  const inventory = open(t)
  t.equal(inventory.lastBatch(), 0)
  t.equal(inventory.next(0), undefined)
  const all = files(2000)
  for (const batch of packBatches(all)) inventory.add(batch)
  t.same([...inventory.batches()].flatMap(unpack), all)
  t.equal(inventory.lastBatch(), 8)
  t.match(inventory.next(7), { id: 8, done: new Uint8Array(208) }, 'nothing is done before it was tried')
  t.equal(inventory.next(8), undefined)
})

t.test('outcomes: what is done, what failed, and the lines of the sidecar', async (t) => {
  const inventory = open(t)
  for (const folder of ['a', 'b', 'c']) inventory.add(pack(files(3, folder)))
  const [a, b, c] = [...inventory.batches()] as [StoredBatch, StoredBatch, StoredBatch]
  const failure = { code: 'STORE_IO', message: 'cannot read it' } as const
  inventory.record(a, { done: Uint8Array.of(1, 0, 1), failures: [{ index: 1, failure }], files: 'a0,a2', others: '' })
  inventory.record(b, { done: Uint8Array.of(1, 1, 1), failures: [], files: '', others: 'b' })
  inventory.record(c, {
    done: Uint8Array.of(0, 0, 1),
    failures: [
      { index: 0, failure: { ...failure, code: 'STORE_NOT_FOUND' } },
      { index: 1, failure },
    ],
    files: 'c2',
    others: 'c',
  })
  t.same(
    [...inventory.batches()].map(({ done }) => [...done]),
    [
      [1, 0, 1],
      [1, 1, 1],
      [0, 0, 1],
    ],
  )
  t.same([...inventory.lines('files')], ['a0,a2', 'c2'], 'batches without lines are passed over')
  t.same([...inventory.lines('others')], ['b', 'c'])
  t.equal(inventory.countFailed(), 3)
  t.same(inventory.failures(10), [
    { id: 1, path: 'a/1 é.parquet', size: 1, mtimeNs: 1_000_000_001n, code: 'STORE_IO', message: 'cannot read it' },
    { id: 2, path: 'c/0 é.parquet', size: 0, mtimeNs: 0n, code: 'STORE_NOT_FOUND', message: 'cannot read it' },
    { id: 3, path: 'c/1 é.parquet', size: 1, mtimeNs: 1_000_000_001n, code: 'STORE_IO', message: 'cannot read it' },
  ])
  t.same(
    inventory.failures(1, 1).map(({ id }) => id),
    [2],
  )
  t.match(inventory.failureOf('STORE_NOT_FOUND'), { id: 2, path: 'c/0 é.parquet' })
  t.equal(inventory.failureOf('SOURCE_CHANGED'), undefined)
  t.same(inventory.forgetVanished(), { files: 1, bytes: 0 })
  t.same(inventory.forgetVanished(), { files: 0, bytes: 0 })
  inventory.forgetFailures(1)
  t.same(
    inventory.failures(10).map(({ id }) => id),
    [3],
  )
})

t.test('version tags come back with their files, and with those that failed', async (t) => {
  const inventory = open(t)
  const tagged = files(3).map(({ sha256: _, ...file }, index) => ({
    ...file,
    ...(index !== 1 && { etag: `"${index}"` }),
  }))
  inventory.add(pack(tagged))
  const [batch] = [...inventory.batches()] as [StoredBatch]
  t.same(unpack(batch), tagged)
  const failure = { code: 'STORE_IO', message: 'cannot read it' } as const
  inventory.addFailures(batch, [
    { index: 1, failure },
    { index: 2, failure },
  ])
  const [plain, other] = inventory.failures(2)
  t.notOk(plain && 'etag' in plain)
  t.match(other, { id: 2, etag: '"2"' })
  inventory.forgetFailure(1)
  t.equal(inventory.countFailed(), 1)
})

t.test('the lines of one batch can be read and written again', async (t) => {
  const inventory = open(t)
  inventory.add(pack(files(2)))
  const [batch] = [...inventory.batches()] as [StoredBatch]
  inventory.record(batch, { done: Uint8Array.of(1, 1), failures: [], files: 'both', others: 'o' })
  t.same(inventory.linesOf(batch.id), { files: 'both', others: 'o' })
  inventory.record(batch, { done: Uint8Array.of(1, 0), failures: [], files: 'one', others: '' })
  t.same([[...inventory.lines('files')], [...inventory.lines('others')]], [['one'], []])
})

t.test('paths and folders that are in it, among many', async (t) => {
  const inventory = open(t)
  for (const batch of packBatches(files(5000, 'db/m/2026/01/01'))) inventory.add(batch)
  for (const path of ['db/m/2026/01/01', 'db/m/2026/01/020']) inventory.add(pack([{ path, size: 0, mtimeNs: 0n }]))
  inventory.add(pack([{ path: 'db/m/2026/01/01/0 é.parquet', size: 0, mtimeNs: 0n }]))
  t.same([...inventory.index()].flat(), ['db/m/2026/01/01/0 é.parquet'], 'what is there twice')
  t.equal(inventory.has('db/m/2026/01/01/4999 é.parquet'), true)
  t.equal(inventory.has('db/m/2026/01/01/5000 é.parquet'), false)
  t.equal(inventory.has("it's; --"), false)
  for (const [folder, expected] of [
    ['db/m/2026/01/01/', true],
    ['db/', true],
    ['db/m/2026/01/0/', false],
    ['db/m/2026/01/02/', false],
    ['db/m/2026/01/01/0 é.parquet/', false],
  ] as const) {
    t.equal(inventory.hasBelow(folder), expected, folder)
  }
})

t.test('extras, in the sets that they came in', async (t) => {
  const inventory = open(t)
  inventory.addExtras([])
  t.same([...inventory.extras()], [])
  inventory.addExtras(['a', 'b\nc'])
  inventory.addExtras(['d'])
  t.same([...inventory.extras()], [['a', 'b\nc'], ['d']])
})

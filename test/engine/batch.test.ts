import t from 'tap'
import { type BatchFile, bytesOf, pack, packBatches, pathsOf, unpack } from '../../src/engine/batch.js'

const odd = [
  'plain/a.parquet',
  'with space/a+b%20c.parquet',
  'ünï/côdé/日本.parquet',
  'smile/😀.parquet',
  'line\nbreak/tab\t',
  'back\\slash/"quoted"',
]

function file(path: string, size = 1, more: Partial<BatchFile> = {}): BatchFile {
  return { path, size, mtimeNs: 1_795_429_445_583_188_582n, ...more }
}

t.test('what is packed is unpacked again, whatever the names', async (t) => {
  const files = odd.map((path, index) => file(path, index * 2 ** 33, { mtimeNs: BigInt(index) * -1_000_000_007n }))
  const batch = pack(files)
  t.same(unpack(batch), files)
  t.same(pathsOf(batch), odd)
  t.equal(bytesOf(batch), 15 * 2 ** 33)
  t.same(unpack(structuredClone(batch)), files, 'after the way to a thread too')
})

t.test('nothing at all', async (t) => {
  t.same(unpack(pack([])), [])
  t.same(pathsOf(pack([])), [])
  t.equal(bytesOf(pack([])), 0)
  t.same(packBatches([]), [])
})

t.test('hashes go along where every file has one', async (t) => {
  const files = odd.map((path, index) => file(path, 1, { sha256: `${index}a`.repeat(32) }))
  t.same(unpack(pack(files)), files)
  t.equal(pack(files).sha256.byteLength, 32 * files.length)
  t.not(
    pack(files).sha256.buffer.byteLength,
    Buffer.poolSize,
    'not a slice of the pool, which cannot cross to a thread',
  )
  const some = [...files, file('without')]
  t.ok(
    unpack(pack(some)).every(({ sha256 }) => sha256 === undefined),
    'half a list of hashes would belong to the wrong files',
  )
})

t.test('batches are bounded by count and by bytes, and keep the order', async (t) => {
  const small = Array.from({ length: 1000 }, (_, index) => file(`${index}`))
  const batches = packBatches(small)
  t.same(
    batches.map((batch) => batch.sizes.length),
    [256, 256, 256, 232],
  )
  t.same(batches.flatMap(unpack), small)

  const mib = 1 << 20
  const sizes = [10, 20, 3, 1, 100, 1, 32, 31, 1].map((count) => count * mib)
  const mixed = packBatches(sizes.map((size, index) => file(`${index}`, size)))
  t.same(
    mixed.map((batch) => [...batch.sizes].map((size) => size / mib)),
    [[10, 20], [3, 1], [100], [1], [32], [31, 1]],
    'at most 32 MiB together; a larger file is alone',
  )
})

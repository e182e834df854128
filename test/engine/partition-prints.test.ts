import t from 'tap'
import { type BatchFile, pack } from '../../src/engine/batch.js'
import { eachInPartition, PartitionPrints } from '../../src/engine/partition-prints.js'

const day = 'db/m/2026/01/02'
const file: BatchFile = { path: `${day}/03/a.parquet`, size: 7, mtimeNs: 1_795_429_445_583_188_582n }

function printsOf(...batches: readonly (readonly BatchFile[])[]): PartitionPrints {
  const prints = new PartitionPrints()
  for (const files of batches) prints.add(pack(files))
  return prints
}

t.test('the same files in another order and other batches are the same', async (t) => {
  const files = Array.from({ length: 500 }, (_, index) => ({
    ...file,
    path: `db/m/2026/01/${10 + (index % 3)}/0${index % 5}/${index}.parquet`,
  }))
  const other = printsOf(files.slice(200).reverse(), files.slice(0, 200))
  t.same(printsOf(files).differing(other), new Set())
  t.same(printsOf(files.slice(1)).differing(other), new Set(['db/m/2026/01/10']))
  t.same(other.differing(printsOf(files.slice(2))), new Set(['db/m/2026/01/10', 'db/m/2026/01/11']))
})

t.test('another name, size, time or tag is another partition', async (t) => {
  const twin = { ...file, path: `${day}/03/b.parquet` }
  const tagged = printsOf([{ ...file, etag: '"1"' }, twin])
  for (const [change, base] of [
    [{ path: `${day}/04/a.parquet` }, printsOf([file, twin])],
    [{ size: 8 }, printsOf([file, twin])],
    [{ mtimeNs: file.mtimeNs + 1n }, printsOf([file, twin])],
    [{ mtimeNs: file.mtimeNs + (1n << 32n) }, printsOf([file, twin])],
    [{ etag: '"2"' }, tagged],
    [{}, tagged],
  ] as const) {
    t.same(printsOf([{ ...file, ...change }, twin]).differing(base), new Set([day]))
  }
  // What two files have between them is not what counts.
  const swapped = [
    { ...file, size: 1 },
    { ...twin, size: 2 },
  ]
  t.same(
    printsOf(swapped).differing(
      printsOf([
        { ...file, size: 2 },
        { ...twin, size: 1 },
      ]),
    ),
    new Set([day]),
  )
})

t.test('only what counts, and only what is in a partition of data', async (t) => {
  const prints = new PartitionPrints()
  prints.add(pack([file, { ...file, path: 'db/n/2026/01/02/03/x.parquet' }]), (index) => index === 0)
  t.same(prints.differing(printsOf([file])), new Set())
  const paths = [
    'db/m/odd.parquet',
    `${day}/d.parquet`,
    `${day}/03/h.parquet`,
    `_schema/${day}/03/x.parquet`,
    'r.parquet',
  ]
  const seen: [string, number][] = []
  eachInPartition({ paths: paths.join('\0') }, (_, partition, index) => seen.push([partition, index]))
  t.same(seen, [
    [day, 1],
    [day, 2],
  ])
})

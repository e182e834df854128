import t from 'tap'
import { MeasurementCounts } from '../../src/engine/measurement-counts.js'
import { readManifest } from '../../src/format/manifest.js'

const measurement = (name: string, file_count: number, size_bytes: number) => ({ name, file_count, size_bytes })
const manifest = readManifest(
  JSON.stringify({
    backup_id: 'backup-20261123-103045-c526b8a7',
    databases: [
      { name: 'a', measurements: [measurement('cpu', 2, 20), measurement('a', 1, 5)] },
      { name: 'b', measurements: [measurement('cpu', 1, 1)] },
    ],
  }),
)

t.test('files and bytes of each measurement, against what the manifest counts', async (t) => {
  const counts = new MeasurementCounts()
  for (const hour of ['00', '01']) counts.add(`a/cpu/2026/01/01/${hour}/x.parquet`, 10)
  counts.add('a/a/2026/01/01/00/x.parquet', 5)
  counts.add('b/cpu/2026/01/01/00/x.parquet', 1)
  // An anchor is a Parquet file of no measurement: here it must not be taken for one of a/a.
  counts.add('_schema/a/cpu.parquet', 100)
  counts.add('a/cpu/metadata/v1.json', 100)
  t.same(counts.compare(manifest), [])
  t.same(counts.unknownTo(manifest), [])
  counts.add('b/cpu/2026/01/01/00/y.parquet', 1)
  counts.add('b/new/2026/01/01/00/y.parquet', 1)
  t.match(counts.compare(manifest), [
    { path: 'b/cpu', surplus: 1, message: 'b/cpu has 2 files with 2 bytes, the manifest says 1 with 1' },
  ])
  t.same(
    counts.compare(manifest, (database) => database === 'a'),
    [],
  )
  t.match(counts.unknownTo(manifest), [{ path: 'b/new', surplus: 1 }])
})

t.test('what lacks, and what has another size', async (t) => {
  const counts = new MeasurementCounts()
  counts.add('a/cpu/2026/01/01/00/x.parquet', 10)
  counts.add('a/a/2026/01/01/00/x.parquet', 6)
  t.match(counts.compare(manifest), [
    { path: 'a/cpu', surplus: -1 },
    { path: 'a/a', surplus: 0, message: /1 files with 6 bytes, the manifest says 1 with 5/ },
    { path: 'b/cpu', surplus: -1 },
  ])
})

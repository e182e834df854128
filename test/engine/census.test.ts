import t from 'tap'
import { Census } from '../../src/engine/census.js'
import { reportOn } from '../../src/engine/report.js'

function report(paths: Record<string, number>) {
  const reporter = reportOn()
  for (const [path, size] of Object.entries(paths)) {
    reporter.add(path, { size, sha256: 'a'.repeat(64), sourceMtimeNs: 0n })
  }
  return reporter.end()
}

t.test("reports of several threads make Arc's totals, in a steady order", async (t) => {
  const census = new Census()
  census.add(report({ 'b/mem/x.parquet': 1, 'b/cpu/x.parquet': 2, '_schema/b/cpu.parquet': 4 }))
  census.add(report({ 'a/cpu/x.parquet': 8, 'b/cpu/y.parquet': 16, '_compaction_state/h/b/x.json': 32 }))
  census.add(report({ 'a b/cpu/x.parquet': 64, 'a/.arc-database': 128 }))
  t.equal(census.entries, 8)
  t.same(census.totals(), {
    databases: [
      { name: 'a', measurements: [{ name: 'cpu', file_count: 1, size_bytes: 8 }], file_count: 1, size_bytes: 8 },
      { name: 'a b', measurements: [{ name: 'cpu', file_count: 1, size_bytes: 64 }], file_count: 1, size_bytes: 64 },
      {
        name: 'b',
        measurements: [
          { name: 'cpu', file_count: 2, size_bytes: 18 },
          { name: 'mem', file_count: 1, size_bytes: 1 },
        ],
        file_count: 3,
        size_bytes: 19,
      },
    ],
    total_files: 6,
    total_size_bytes: 95,
    auxiliary_files: 1,
    compaction_state_files: 1,
  })
})

t.test('nothing at all', async (t) => {
  t.same(new Census().totals(), {
    databases: [],
    total_files: 0,
    total_size_bytes: 0,
    auxiliary_files: 0,
    compaction_state_files: 0,
  })
})

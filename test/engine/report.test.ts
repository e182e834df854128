import t from 'tap'
import { reportOn } from '../../src/engine/report.js'

const sha256 = 'a'.repeat(64)

function copied(size: number) {
  return { size, sha256, sourceMtimeNs: 1_795_429_445_583_188_582n }
}

t.test('what a thread copied: counts by measurement, and lines for both lists of the sidecar', async (t) => {
  const reporter = reportOn()
  for (const [path, size] of [
    ['db/cpu/2026/01/01/00/a.parquet', 1],
    ['db/cpu/2026/01/01/01/"é".parquet', 2],
    ['db/mem/2026/01/01/00/a.parquet', 4],
    ['root.parquet', 8],
    ['_schema/db/cpu.parquet', 16],
    ['_schema/db/notes.json', 32],
    ['_compaction_state/hourly/db/x.json', 64],
    ['db/.arc-database', 128],
    ['db/ice/metadata/v1.metadata.json', 256],
  ] as const) {
    reporter.add(path, copied(size))
  }
  const report = reporter.end()
  t.same(report.tallies, [
    { database: 'db', measurement: 'cpu', files: 2, bytes: 3 },
    { database: 'db', measurement: 'mem', files: 1, bytes: 4 },
    { database: 'root.parquet', measurement: 'unknown', files: 1, bytes: 8 },
  ])
  t.match(report, { anchors: 1, anchorBytes: 16, compactionStates: 1, entries: 9 })
  t.match(JSON.parse(`[${report.files}]`), [
    {
      path: 'db/cpu/2026/01/01/00/a.parquet',
      sha256,
      size_bytes: 1,
      database: 'db',
      measurement: 'cpu',
      partition_time: '2026-01-01T00:00:00Z',
      source_mtime_ns: '1795429445583188582',
    },
    { path: 'db/cpu/2026/01/01/01/"é".parquet' },
    { path: 'db/mem/2026/01/01/00/a.parquet' },
    { path: 'root.parquet', database: 'root.parquet', measurement: 'unknown' },
  ])
  const others = JSON.parse(`[${report.others}]`) as { path: string }[]
  t.same(others[0], {
    path: 'data/_schema/db/cpu.parquet',
    kind: 'auxiliary',
    sha256,
    size_bytes: 16,
    source_mtime_ns: '1795429445583188582',
  })
  t.equal(others.length, 5)
})

t.test('where a copy came from, and what vouches for it', async (t) => {
  const reporter = reportOn()
  const reused = { hashedAt: '2026-11-01T00:00:00Z', proof: 'etag' } as const
  reporter.add('db/m/2026/01/01/00/a.parquet', { ...copied(1), sourceEtag: '"s"', etag: '"c"', reused })
  reporter.add('_schema/db/a.parquet', { ...copied(2), reused: { hashedAt: reused.hashedAt } })
  const report = reporter.end()
  t.match(report, { reusedFiles: 2, reusedBytes: 3 })
  t.match(JSON.parse(report.files), { source_etag: '"s"', copy_etag: '"c"', hashed_at: reused.hashedAt, proof: 'etag' })
  const other = JSON.parse(report.others) as Record<string, unknown>
  t.match(other, { hashed_at: reused.hashedAt })
  t.notOk('proof' in other)
})

t.test('nothing was copied', async (t) => {
  t.same(reportOn().end(), {
    reread: [],
    tallies: [],
    anchors: 0,
    anchorBytes: 0,
    compactionStates: 0,
    reusedFiles: 0,
    reusedBytes: 0,
    prints: [],
    states: [],
    files: '',
    others: '',
    entries: 0,
  })
})

t.test('a file that was rewritten before it was copied', async (t) => {
  const reporter = reportOn()
  const moved = { size: 1, sha256: 'a'.repeat(64), sourceMtimeNs: 5n }
  reporter.add('db/m/2026/01/02/03/same.parquet', moved, 5n)
  reporter.add('db/m/2026/01/03/03/other.parquet', moved, 4n)
  reporter.add('db/m/2026/01/04/03/tagged.parquet', { ...moved, sourceEtag: 'e' }, 4n)
  reporter.add('db/odd.parquet', moved, 4n)
  t.same(reporter.end().reread, ['db/m/2026/01/03'])
})

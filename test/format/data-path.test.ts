import { readdirSync } from 'node:fs'
import t from 'tap'
import {
  assertSafePath,
  classify,
  databaseOf,
  dataPartitionOf,
  dayPartitionOf,
  isExcludedFolder,
  measurementOf,
  partitionTimeOf,
} from '../../src/format/data-path.js'
import { arcs } from '../support/fixture.js'

const hour = 'metrics/disk-io/2026/01/02/03/disk-io_20261123_103036_720691076.parquet'
const day = 'metrics/cpu/2026/01/02/cpu_20261123_103036_1_b0_daily.parquet'

t.test('every file of a storage that Arc wrote is data', async (t) => {
  const files = readdirSync(`${arcs}/data/arc`, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.parquet'),
  )
  t.equal(files.length, 36)
  for (const path of files) {
    t.equal(classify(path), 'parquet', path)
    t.match(databaseOf(path), /^(metrics|alpha_iot)$/)
    t.match(dayPartitionOf(path), /^[a-z_]+\/[a-z-]+\/2026\/01\/01$/)
    assertSafePath(path)
  }
})

t.test('what belongs in a backup', async (t) => {
  const kinds = {
    parquet: [
      hour,
      day,
      'x.parquet',
      'a/b.parquet',
      'a b/ü%20+/x.parquet',
      'db/metadata/2026/01/02/03/x.parquet',
      'arc_db.db/m/metadata/x.parquet',
      'backup.tmp/m/x.parquet',
      'db/m.part/x.parquet',
      'db/m/x.part.parquet',
      'metadata/x.parquet',
    ],
    auxiliary: [
      'arc_metrics.db/cpu/metadata/00001-1b4e28ba-2fa1-11d2-883f-0016d3cca427.metadata.json',
      'arc_metrics.db/cpu/metadata/v12.metadata.json',
      'arc_metrics.db/cpu/metadata/snap-1.avro',
      'arc_metrics.db/cpu/metadata/version-hint.text',
      'arc_metrics.db/cpu/metadata/version-hint.text.tmp',
      'arc_metrics.db/cpu/metadata/deeper/x',
      '_schema/metrics/cpu.parquet',
      '_schema/metrics/cpu.json',
      '_compaction_state/hourly/metrics/2026_01_02_03_job.json',
      '_compaction_state/hourly/metrics/2026_01_02_03_job.json.quarantined',
      'metrics/.arc-database',
      'spoke/metrics/.arc-database',
      '.arc-database',
    ],
    excluded: [
      '',
      'db/m/x.txt',
      'db/m/x.PARQUET',
      'db/m/x.parquet.bak',
      'db/m/x.vortex',
      '.arc_format',
      '.arc-backup-instance-id',
      'metadata/version-hint.text',
      '_schemas/x.json',
      'db/_schema/x.json',
      'db/m/.x.parquet',
      'db/m/.arc-123.tmp',
      'db/m/.parquet',
      'db/m/x.parquet.part',
      'db/m/x.parquet.tmp',
      'db/m/.tmp/x.parquet.new',
      'db/m/.tmp/x.parquet',
      '.sync-staging/spoke/db/m/x.parquet',
      '.sync-staging/spoke/db/m/x.parquet.part',
      '.hidden/metadata/x.json',
      'db/.hidden/.arc-database',
      '.arc-database/x.parquet',
      '_schema/metrics/.cpu.parquet',
      '_schema/metrics/cpu.parquet.part',
      '_compaction_state/.tmp/x.json',
      'arc_db.db/m/metadata/.x.metadata.json',
      'db/metadata/2026/01/02/03/x.parquet.part',
      'db/metadata/2026/01/02/03/x.parquet.tmp',
      'db/metadata/2026/01/02/03/x.parquet.new',
    ],
  } as const
  for (const [kind, paths] of Object.entries(kinds)) {
    for (const path of paths) t.equal(classify(path), kind, path)
  }
})

t.test('a folder is not walked when nothing in it can be in a backup', async (t) => {
  for (const folder of ['.tmp/', 'db/m/.tmp/', '.sync-staging/', '.sync-staging/a/', '.a/b/']) {
    t.ok(isExcludedFolder(folder), folder)
    t.equal(classify(`${folder}x.parquet`), 'excluded', folder)
    t.equal(classify(`${folder}.arc-database`), 'excluded', folder)
  }
  for (const folder of ['db/', 'db/m/2026/01/', '_schema/', 'a.b/', 'tmp/', 'db/m.tmp/']) {
    t.notOk(isExcludedFolder(folder), folder)
    t.equal(classify(`${folder}x.parquet`) === 'excluded', false, folder)
  }
})

t.test('database and measurement', async (t) => {
  const cases: [string, string, string][] = [
    [hour, 'metrics', 'disk-io'],
    ['a/b.parquet', 'a', 'b.parquet'],
    ['x.parquet', 'x.parquet', 'unknown'],
    ['arc_metrics.db/cpu/metadata/v1.metadata.json', 'arc_metrics.db', 'cpu'],
    ['metrics/.arc-database', 'metrics', '.arc-database'],
    ['_schema/metrics/cpu.parquet', 'metrics', 'metrics'],
    ['_schema/cpu.parquet', '_schema', 'cpu.parquet'],
    ['_compaction_state/hourly/metrics/job.json', 'metrics', 'hourly'],
    ['_compaction_state/hourly/metrics/deeper/job.json', 'metrics', 'hourly'],
    ['_compaction_state/hourly/job.json', '_compaction_state', 'hourly'],
    ['_compaction_state/job.json', '_compaction_state', 'job.json'],
    ['', '', 'unknown'],
  ]
  for (const [path, database, measurement] of cases) {
    t.same([databaseOf(path), measurementOf(path)], [database, measurement], path)
  }
})

t.test('the day partition and the time of a file', async (t) => {
  const cases: [string, string | null, string | null][] = [
    [hour, 'metrics/disk-io/2026/01/02', '2026-01-02T03:00:00Z'],
    [day, 'metrics/cpu/2026/01/02', '2026-01-02T00:00:00Z'],
    ['spoke/db/m/2026/01/02/03/x.parquet', 'spoke/db/m/2026/01/02', '2026-01-02T03:00:00Z'],
    ['db/m/2024/02/29/23/x.parquet', 'db/m/2024/02/29', '2024-02-29T23:00:00Z'],
    ['db/m/2026/02/29/23/x.parquet', 'db/m/2026/02/29', null],
    ['db/m/2026/13/01/00/x.parquet', 'db/m/2026/13/01', null],
    ['db/m/2026/00/01/00/x.parquet', 'db/m/2026/00/01', null],
    ['db/m/2026/01/00/00/x.parquet', 'db/m/2026/01/00', null],
    ['db/m/2026/01/02/24/x.parquet', 'db/m/2026/01/02', null],
    ['db/m/2026/01/02/03/04/x.parquet', null, null],
    ['db/m/2026/01/x.parquet', null, null],
    ['db/2026/01/02/03/x.parquet', null, null],
    ['db/m/26/01/02/03/x.parquet', null, null],
    ['db/m/x.parquet', null, null],
    ['db/m/2026/01/02/', null, null],
    ['', null, null],
  ]
  for (const [path, partition, time] of cases) {
    t.same([dayPartitionOf(path), partitionTimeOf(path)], [partition, time], path)
  }
})

t.test('what is kept for all databases together is in no partition of data', async (t) => {
  for (const path of [hour, day, 'x.parquet']) t.equal(dataPartitionOf(path), dayPartitionOf(path))
  for (const folder of ['_schema', '_compaction_state']) {
    const path = `${folder}/metrics/2026/01/02/x.parquet`
    t.ok(dayPartitionOf(path))
    t.equal(dataPartitionOf(path), null)
  }
})

t.test('names that lead elsewhere are refused, and shown escaped', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /empty/],
    ['/etc/passwd', /relative/],
    ['//etc', /relative/],
    ['..', /"\." or "\.\."/],
    ['../x', /"\." or "\.\."/],
    ['a/../b', /"\." or "\.\."/],
    ['a/..', /"\." or "\.\."/],
    ['.', /"\." or "\.\."/],
    ['./a', /"\." or "\.\."/],
    ['a/./b', /"\." or "\.\."/],
    ['a//b', /empty segments/],
    ['a/', /empty segments/],
    ['a\0b', /NUL/],
    ['a/\ud800.parquet', /UTF-8/],
    ['\udc00', /UTF-8/],
    ['a/\ufffd.parquet', /UTF-8/],
    [`a/${'ü'.repeat(2048)}`, /4096 bytes/],
  ]
  for (const [path, why] of cases) {
    t.throws(() => assertSafePath(path), { code: 'PATH_UNSAFE', message: why }, JSON.stringify(path).slice(0, 60))
  }
  t.throws(() => assertSafePath('../a\n\u001b[31m'), { message: /"\.\.\/a\\n\\u001b\[31m"/ })
  t.throws(() => assertSafePath(`../${'x/'.repeat(5000)}`), { message: /^.{300,420}$/ })
})

t.test('odd names that are legal are let through', async (t) => {
  for (const path of [
    hour,
    '.arc-database',
    '...',
    '..a/b..',
    'a..b.parquet',
    'a/ .parquet',
    'a\\..\\b',
    'a/new\nline\t\u007f.parquet',
    'C:/x',
    '~/x',
    `a/${'x'.repeat(400)}`,
    'ünï/日本語/😀.parquet',
    '__proto__/constructor',
  ]) {
    t.doesNotThrow(() => assertSafePath(path), JSON.stringify(path))
  }
})

t.test('random names: safe exactly when joining them to a root stays below it, segment by segment', async (t) => {
  const alphabet = [
    'a',
    '.',
    '..',
    '/',
    '//',
    '\\',
    ' ',
    'ü',
    '😀',
    '\n',
    '\0',
    '.tmp',
    '.parquet',
    '_schema',
    'metadata',
  ]
  let seed = 42
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  const tally = { safe: 0, refused: 0 }
  for (let round = 0; round < 20_000; round += 1) {
    const path = Array.from({ length: 1 + random(7) }, () => alphabet[random(alphabet.length)]).join('')
    const segments = path.split('/')
    const expected = !path.includes('\0') && segments.every((segment) => !['', '.', '..'].includes(segment))
    let safe = true
    try {
      assertSafePath(path)
    } catch {
      safe = false
    }
    if (safe !== expected) t.equal(safe, expected, JSON.stringify(path))
    tally[safe ? 'safe' : 'refused'] += 1
    // What a walk would never see may not be counted as data either.
    const folder = path.slice(0, path.lastIndexOf('/') + 1)
    if (folder !== '' && isExcludedFolder(folder) && classify(path) !== 'excluded') t.fail(JSON.stringify(path))
  }
  t.ok(tally.safe > 1000 && tally.refused > 1000, JSON.stringify(tally))
})

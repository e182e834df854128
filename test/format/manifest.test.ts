import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Manifest, readManifest, serializeManifest, summarize, toClientJson } from '../../src/format/manifest.js'
import { arcs } from '../support/fixture.js'

const id = 'backup-20261123-103045-c526b8a7'
const arcsText = readFileSync(`${arcs}/data/backups/${id}/manifest.json`, 'utf8')
const facts = JSON.parse(readFileSync(`${arcs}/facts.json`, 'utf8'))

const full: Manifest = {
  version: 'arc-backup/0.1.0',
  backup_id: id,
  created_at: '2026-11-23T10:30:45.583188582Z',
  backup_type: 'full',
  databases: [
    {
      name: 'übung <&> \u2028',
      measurements: [{ name: 'cpu', file_count: 2, size_bytes: 30 }],
      file_count: 2,
      size_bytes: 30,
    },
  ],
  total_files: 3,
  total_size_bytes: 31,
  skipped_files: 1,
  has_metadata: true,
  has_iceberg_catalog: true,
  has_config: true,
  skipped_sample: ['metrics/cpu/x.parquet'],
  auxiliary_files: 1,
  compaction_state_files: 4,
  settled_passes: 2,
  replaced_files: 31,
  consumed_inputs_skipped: 7,
  scope: ['übung <&> \u2028'],
  warnings: ['a cold tier is active'],
  metadata_files: ['arc', 'retention'],
  sidecar: { path: 'manifest-files.json', sha256: 'ab'.repeat(32), entries: 9 },
}

const empty: Manifest = {
  ...full,
  databases: [],
  total_files: 0,
  total_size_bytes: 0,
  skipped_files: 0,
  has_metadata: false,
  has_iceberg_catalog: false,
  has_config: false,
  skipped_sample: [],
  auxiliary_files: 0,
  compaction_state_files: 0,
  scope: [],
  warnings: [],
  metadata_files: [],
}

t.test("Arc's own manifest is read whole and written again byte by byte, but for our checksum", async (t) => {
  const manifest = readManifest(Buffer.from(arcsText))
  t.equal(manifest.backup_id, id)
  t.equal(manifest.sidecar, undefined)
  const checksum = createHash('sha256').update(arcsText).digest('hex')
  t.equal(serializeManifest(manifest), `${arcsText.slice(0, -2)},\n  "checksum": "${checksum}"\n}`)
  t.same(toClientJson(manifest), facts.answers.manifest)
  t.equal(JSON.stringify(toClientJson(manifest)), JSON.stringify(JSON.parse(arcsText)))
})

t.test("the list's line for it is the one that Arc gave", async (t) => {
  const line = summarize(readManifest(arcsText))
  const text = JSON.stringify(line)
  t.ok(JSON.stringify(facts).includes(text), text)
})

t.test('round trips, with everything and with nothing in it', async (t) => {
  t.same(readManifest(serializeManifest(full)), full)
  t.same(readManifest(serializeManifest(empty)), empty)
})

t.test('keys: those of Arc in its order, then ours; what says nothing is left out', async (t) => {
  t.same(Object.keys(JSON.parse(serializeManifest(full))), [
    'version',
    'backup_id',
    'created_at',
    'backup_type',
    'databases',
    'total_files',
    'total_size_bytes',
    'skipped_files',
    'has_metadata',
    'has_iceberg_catalog',
    'has_config',
    'skipped_sample',
    'auxiliary_files',
    'compaction_state_files',
    'settled_passes',
    'replaced_files',
    'consumed_inputs_skipped',
    'scope',
    'warnings',
    'metadata_files',
    'sidecar',
    'checksum',
  ])
  const { sidecar, settled_passes, replaced_files, consumed_inputs_skipped, ...arcLike } = empty
  t.ok(sidecar && settled_passes && replaced_files && consumed_inputs_skipped)
  const text = serializeManifest(arcLike)
  t.same(Object.keys(JSON.parse(text)), [
    'version',
    'backup_id',
    'created_at',
    'backup_type',
    'databases',
    'total_files',
    'total_size_bytes',
    'has_metadata',
    'has_config',
    'checksum',
  ])
  t.match(text, '\n  "databases": null,\n')
  t.same(Object.keys(toClientJson(full)), Object.keys(JSON.parse(serializeManifest(full))).slice(0, -1))
})

t.test('at most 32 skipped files are named', async (t) => {
  const skipped_sample = Array.from({ length: 40 }, (_, index) => `db/m/${index}.parquet`)
  const read = readManifest(serializeManifest({ ...full, skipped_files: 40, skipped_sample }))
  t.same(read.skipped_sample, skipped_sample.slice(0, 32))
})

t.test('the list shows gaps, scope, and gaps that only Arc counts', async (t) => {
  t.same(summarize(full), {
    backup_id: id,
    created_at: full.created_at,
    backup_type: 'full',
    total_files: 3,
    total_size_bytes: 31,
    database_count: 1,
    skipped_files: 1,
    scope: full.scope,
  })
  const later = readManifest(
    JSON.stringify({
      ...JSON.parse(arcsText),
      unaddressable_files: 2,
      skipped_metadata_files: 3,
      skipped_overlong_keys: 0,
    }),
  )
  t.match(summarize(later), { unaddressable_files: 2, skipped_metadata_files: 3 })
  t.notOk('skipped_overlong_keys' in summarize(later))
  t.match(toClientJson(later), { unaddressable_files: 2, skipped_metadata_files: 3 })
})

t.test('every dialect: unknown keys are ignored, missing ones and null are zero', async (t) => {
  const zero = {
    backup_id: id,
    created_at: '0001-01-01T00:00:00Z',
    databases: [],
    total_files: 0,
    skipped_files: 0,
    has_metadata: false,
    skipped_sample: [],
    scope: [],
    warnings: [],
    metadata_files: [],
  }
  t.match(readManifest(JSON.stringify({ backup_id: id })), zero)
  const nulls = Object.fromEntries(Object.keys(full).map((key) => [key, null]))
  delete nulls.sidecar
  t.match(readManifest(JSON.stringify({ ...nulls, backup_id: id })), zero)
  const later = {
    ...JSON.parse(arcsText),
    iceberg_warehouse: { path: '/x', file_count: 3 },
    cold_files_excluded: { metrics: 3 },
    target: 'audit',
    run_targets: ['audit', 'default'],
    is_default_target: true,
    owner_instance_id: 'x',
    ['__proto__']: { polluted: true },
  }
  t.same(readManifest(JSON.stringify(later, null, 4)), readManifest(arcsText))
  const measurements = { databases: [{ name: 'a', measurements: null }, { measurements: [{ name: 'm' }] }] }
  t.same(readManifest(JSON.stringify({ backup_id: id, ...measurements })).databases, [
    { name: 'a', measurements: [], file_count: 0, size_bytes: 0 },
    { name: '', measurements: [{ name: 'm', file_count: 0, size_bytes: 0 }], file_count: 0, size_bytes: 0 },
  ])
  for (const created_at of ['2026-11-23T10:30:45Z', '2026-11-23T10:30:45.123456789+05:30']) {
    t.equal(readManifest(JSON.stringify({ backup_id: id, created_at })).created_at, created_at)
  }
})

t.test('what is no manifest is refused, and says what was expected', async (t) => {
  const bad = (change: object): string => JSON.stringify({ ...JSON.parse(arcsText), ...change })
  const cases: [string, RegExp][] = [
    ['', /not JSON/],
    ['{', /not JSON/],
    [arcsText.slice(0, -1), /not JSON/],
    [`${arcsText}x`, /not JSON/],
    [`\ufeff${arcsText}`, /not JSON/],
    ['null', /as a whole: .*expected object/],
    ['[]', /as a whole: .*expected object/],
    ['"x"', /as a whole: .*expected object/],
    ['{}', /backup_id: .*expected string/],
    [bad({ backup_id: '../x' }), /backup_id: expected backup-YYYYMMDD/],
    [bad({ backup_id: 7 }), /backup_id: .*expected string/],
    [bad({ created_at: 'yesterday' }), /created_at: .*datetime/],
    [bad({ created_at: 5 }), /created_at: .*expected string/],
    [bad({ created_at: '2026-02-30T00:00:00Z' }), /created_at: .*datetime/],
    [bad({ total_files: '36' }), /total_files: .*expected number/],
    [bad({ total_files: -1 }), /total_files: .*>=0/],
    [bad({ total_files: 1.5 }), /total_files: .*expected int/],
    [bad({ total_size_bytes: 2 ** 53 }), /total_size_bytes: /],
    [bad({ skipped_files: true }), /skipped_files: .*expected number/],
    [bad({ has_metadata: 'yes' }), /has_metadata: .*expected boolean/],
    [bad({ databases: {} }), /databases: .*expected array/],
    [bad({ databases: [null] }), /databases\.0: .*expected object/],
    [bad({ databases: [{ name: 5 }] }), /databases\.0\.name: .*expected string/],
    [bad({ databases: [{ measurements: [{ file_count: 'x' }] }] }), /databases\.0\.measurements\.0\.file_count: /],
    [bad({ scope: ['a', 5] }), /scope\.1: .*expected string/],
    [bad({ warnings: 'x' }), /warnings: .*expected array/],
    [bad({ sidecar: null }), /sidecar: .*expected object/],
    [bad({ sidecar: { path: 'x', sha256: 'AB'.repeat(32), entries: 1 } }), /sidecar\.sha256: /],
    [bad({ sidecar: { path: 'x', sha256: 'ab'.repeat(32), entries: -1 } }), /sidecar\.entries: /],
    [bad({ sidecar: { path: 'x', sha256: 'ab'.repeat(32), entries: 1 } }), /names a sidecar and has no checksum/],
    [bad({ checksum: null }), /does not match its own checksum/],
    [bad({ checksum: 'x' }), /does not match its own checksum/],
    [`{"backup_id":"${id}","checksum":"x","deep":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, /nested too deeply/],
  ]
  for (const [text, message] of cases) {
    for (const content of [text, Buffer.from(text)]) {
      t.throws(() => readManifest(content), { code: 'MANIFEST_INVALID', message }, text.slice(0, 60))
    }
  }
  const many = bad({ databases: Array.from({ length: 1000 }, () => 5) })
  t.throws(() => readManifest(many), { message: /^.{1,600}$/ }, 'a long list of faults is cut')
})

t.test('more than 64 MiB are not even parsed', async (t) => {
  t.throws(() => readManifest(Buffer.alloc((64 << 20) + 1, 'x')), {
    code: 'MANIFEST_INVALID',
    message: /67108864 bytes/,
  })
  t.throws(() => readManifest(Buffer.alloc(64 << 20, 'x')), { code: 'MANIFEST_INVALID', message: /not JSON/ })
})

t.test('a flipped bit anywhere is noticed', async (t) => {
  const text = Buffer.from(serializeManifest(full))
  for (let at = 0; at < text.length; at += 1) {
    for (const bit of [1, 4, 32, 128]) {
      const damaged = Buffer.from(text)
      damaged[at] = (damaged[at] ?? 0) ^ bit
      try {
        readManifest(damaged)
        t.fail(`byte ${at}, bit ${bit}: ${damaged.toString().slice(Math.max(0, at - 20), at + 20)}`)
      } catch (error) {
        if ((error as { code?: string }).code !== 'MANIFEST_INVALID') t.fail(String(error))
      }
    }
  }
  const repeated = text.toString().replace('  "total_files": 3,\n', '  "total_files": 3,\n  "total_files": 3,\n')
  t.throws(() => readManifest(repeated), { message: /checksum/ })
  t.same(readManifest(`${text}\n`), full, 'a line feed at the end is no damage')
})

t.test('the checksum can be recomputed without our code', async (t) => {
  const text = serializeManifest(full)
  const found = /,\n {2}"checksum": "([0-9a-f]{64})"\n\}$/.exec(text)
  t.ok(found)
  const without = `${text.slice(0, found?.index)}\n}`
  t.equal(createHash('sha256').update(without).digest('hex'), found?.[1])
})

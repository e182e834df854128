import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { partitionTimeOf } from '../../src/format/data-path.js'
import {
  cutEntries,
  parseSidecar,
  type SidecarEntry,
  type SidecarFile,
  SidecarWriter,
} from '../../src/format/sidecar.js'

const sha256 = createHash('sha256').update('x').digest('hex')
const path = 'metrics/disk-io/2026/01/02/03/disk-io_20261123_103036_720691076.parquet'
const file: SidecarFile = {
  path,
  sha256,
  size_bytes: 2327,
  database: 'metrics',
  measurement: 'disk-io',
  source_mtime_ns: '1795429845583188582',
}
const oddNames = [
  'a\\b"c\u0001\n/ü 日本語/😀.parquet',
  'db/],{}[":/,.parquet',
  '_x/\u2028\u2029\u007f.parquet',
  '__proto__/x',
]
const others = [
  { path: 'data/_schema/metrics/cpu.parquet', kind: 'auxiliary', sha256, size_bytes: 5, source_mtime_ns: '-1' },
  { path: 'data/metrics/.arc-database', kind: 'auxiliary', sha256, size_bytes: 0, source_mtime_ns: '1' },
  { path: 'metadata/arc.db', kind: 'metadata', sha256, size_bytes: Number.MAX_SAFE_INTEGER },
  { path: 'config/arc.toml', kind: 'config', sha256, size_bytes: 10 },
] as const

/** Written by us, with all that is awkward in it. */
function small(): { text: string; entries: number; expected: SidecarEntry[] } {
  const files: SidecarFile[] = [
    file,
    { ...file, path: 'a.parquet', source_etag: '"0x8D=\\"' },
    ...oddNames.map((name) => ({ ...file, path: name })),
  ]
  const writer = new SidecarWriter()
  let text = writer.header()
  for (const entry of files) text += writer.file(entry)
  text += writer.startOther()
  for (const entry of others) text += writer.other(entry)
  text += writer.footer()
  const expected = [
    ...files.map(({ database: _, measurement: __, ...entry }) => ({ list: 'files' as const, ...entry })),
    ...others.map(({ kind: _, ...entry }) => ({ list: 'other_files' as const, ...entry })),
  ]
  return { text, entries: writer.entries, expected }
}

async function read(...chunks: (string | Buffer)[]): Promise<SidecarEntry[]> {
  const found: SidecarEntry[] = []
  for await (const batch of parseSidecar(stream(chunks))) found.push(...batch)
  return found
}

async function* stream(chunks: Iterable<string | Buffer>): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk as string)
}

t.test('round trip, also of names that are awkward in JSON', async (t) => {
  const { text, entries, expected } = small()
  t.same(await read(text), expected)
  t.equal(entries, expected.length)
  t.equal(JSON.parse(text).files.length + JSON.parse(text).other_files.length, entries)
})

t.test("what is written has Arc's keys first, one entry a line", async (t) => {
  const { text } = small()
  const lines = text.split('\n')
  t.equal(lines[0], '{"version":1,"from_cluster_manifest":false,"files":[')
  t.equal(
    lines[1],
    `{"path":"${path}","sha256":"${sha256}","size_bytes":2327,"database":"metrics","measurement":"disk-io",` +
      '"partition_time":"2026-01-02T03:00:00Z","created_at":"2026-11-23T10:30:45.583188582Z","source_mtime_ns":"1795429845583188582"},',
  )
  t.equal(lines.length, 1 + 6 + 1 + 4 + 2)
})

t.test('times that RFC 3339 can not write are left out: Arc would refuse the whole list for one', async (t) => {
  for (const source_mtime_ns of ['-1', '253402300800000000000']) {
    const writer = new SidecarWriter()
    const line = JSON.parse(writer.file({ ...file, path: 'db/m/2026/02/30/00/x.parquet', source_mtime_ns }))
    t.equal(partitionTimeOf(line.path), null)
    t.notOk('partition_time' in line || 'created_at' in line)
    t.same(await read(`{"version":1,"files":[${JSON.stringify(line)}]}`), [
      { list: 'files', path: line.path, sha256, size_bytes: 2327, source_mtime_ns },
    ])
  }
})

t.test('nothing in it', async (t) => {
  const writer = new SidecarWriter()
  const text = writer.header() + writer.startOther() + writer.footer()
  t.same(await read(text), [])
  t.equal(writer.entries, 0)
  const onlyOthers = new SidecarWriter()
  const config = others[3]
  const line = onlyOthers.header() + onlyOthers.startOther() + onlyOthers.other(config) + onlyOthers.footer()
  t.equal((await read(line)).length, 1)
})

t.test('chunks may end anywhere', async (t) => {
  const { text, expected } = small()
  const bytes = Buffer.from(text)
  for (let at = 0; at <= bytes.length; at += 1) {
    const found = await read(bytes.subarray(0, at), bytes.subarray(at))
    if (JSON.stringify(found) !== JSON.stringify(expected)) t.same(found, expected, `cut at ${at}`)
  }
  t.same(await read(...Array.from(bytes, (byte) => Buffer.from([byte]))), expected, 'byte by byte')
  t.same(await read('', text, ''), expected, 'empty chunks')
})

t.test("Arc's formatting, and any other that is JSON", async (t) => {
  const { text, expected } = small()
  const value = JSON.parse(text)
  const arcs = value.files.map((entry: SidecarFile) => {
    const { source_mtime_ns: _, source_etag: __, ...known } = entry
    return { ...known, tier: 'cold', unknown: [{ deep: ['},{', 1] }] }
  })
  const bare = expected
    .filter(({ list }) => list === 'files')
    .map(({ list, path, sha256, size_bytes }) => ({ list, path, sha256, size_bytes }))
  const rows = arcs.map((entry: object) => `${JSON.stringify(entry)}\n`).join(',')
  t.same(await read(`{"version":1,"from_cluster_manifest":true,"files":[${rows}]}`), bare)
  for (const indent of [1, 4, '\t', '\n\r \t']) t.same(await read(JSON.stringify(value, null, indent)), expected)
  const turned = {
    other_files: value.other_files,
    later: { files: [1], other_files: [{}] },
    files: value.files,
    version: 1,
  }
  const inList = (name: string): SidecarEntry[] => expected.filter(({ list }) => list === name)
  t.same(await read(JSON.stringify(turned)), [...inList('other_files'), ...inList('files')])
  t.same(await read(' \n{ "version" : 1 , "files" : [ ] , "other_files" : [\n] } \n'), [])
  t.same(await read('{"version":1,"files":null,"other_files":null,"x":"files","y":[[],{}]}'), [])
  t.same(await read('{"version":1}'), [])
})

t.test('what is no sidecar is refused, and says what was expected', async (t) => {
  const entry = JSON.stringify({ path, sha256, size_bytes: 1 })
  const list = (...entries: (object | string | number | null)[]): string =>
    `{"version":1,"files":[${entries.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join(',')}]}`
  const other = (change: object): string =>
    `{"version":1,"other_files":[${JSON.stringify({ ...others[2], ...change })}]}`
  const cases: [string, RegExp][] = [
    ['', /JSON/],
    [' ', /JSON/],
    ['[]', /expected an object/],
    ['null', /expected an object/],
    ['"files"', /expected an object/],
    ['{}', /expected version 1, not undefined/],
    ['{"version":2,"files":[]}', /expected version 1, not 2/],
    ['{"version":"1","files":[]}', /expected version 1, not "1"/],
    ['{"version":1,"files":{}}', /expected files to be a list/],
    ['{"version":1,"other_files":"x"}', /expected other_files to be a list/],
    ['{"version":1,"files":5}', /expected files to be a list/],
    [`{"version":1,"f\\u0069les":[${entry}]}`, /expected files to be a list/],
    [`{"version":1,"files":[${entry}],"files":[${entry}]}`, /more than one list "files"/],
    [`[{"version":1,"files":[${entry}]}]`, /expected an object/],
    [`["files",[${entry}]]`, /expected an object/],
    [`{"version":1,"files":[${entry},]}`, /JSON|comma/],
    [`{"version":1,"files":[,${entry}]}`, /JSON|comma/],
    [`{"version":1,"files":[,]}`, /JSON|comma/],
    [`{"version":1,"files":[${entry},,${entry}]}`, /JSON|comma/],
    [`{"version":1,"files":[${entry} ${entry}]}`, /JSON/],
    [`{"version":1,"files":[${entry}}`, /JSON/],
    [`{"version":1,"files":[${entry}]]`, /JSON/],
    [`{"version":1,"files":[${entry}]}}`, /JSON/],
    [`{"version":1,"files":[${entry}]} x`, /JSON/],
    [`{"version":1,"files":[${entry}]}{}`, /JSON/],
    [`{"version":1,"files" [${entry}]}`, /JSON/],
    [`{"version":1,files:[${entry}]}`, /JSON/],
    [`{"version":1,"files":[${entry.replace('"sha256"', "'sha256'")}]}`, /JSON/],
    ['{"version":1,"files":[{"path":"a]}', /JSON/],
    [list(5), /expected each entry of files to be an object with a path/],
    [list(null), /expected each entry of files to be an object with a path/],
    [list([]), /expected each entry of files to be an object with a path/],
    [list('"x"'), /expected each entry of files to be an object with a path/],
    [list({}), /expected each entry of files to be an object with a path/],
    [list({ path: 5 }), /expected each entry of files to be an object with a path/],
    [list({ path }), /expected sha256, 64 lower-case hex digits, for "metrics/],
    [list({ path, sha256: 5 }), /expected sha256/],
    [list({ path, sha256: sha256.toUpperCase() }), /expected sha256/],
    [list({ path, sha256: `${sha256}0` }), /expected sha256/],
    [list({ path, sha256: `${sha256}\n` }), /expected sha256/],
    [list({ path, sha256 }), /expected size_bytes/],
    [list({ path, sha256, size_bytes: '1' }), /expected size_bytes/],
    [list({ path, sha256, size_bytes: -1 }), /expected size_bytes/],
    [list({ path, sha256, size_bytes: 1.5 }), /expected size_bytes/],
    [list({ path, sha256, size_bytes: 2 ** 53 }), /expected size_bytes/],
    [list({ path, sha256, size_bytes: 1, source_mtime_ns: 1 }), /expected source_mtime_ns, a text of digits/],
    [list({ path, sha256, size_bytes: 1, source_mtime_ns: '1.5' }), /expected source_mtime_ns/],
    [list({ path, sha256, size_bytes: 1, source_mtime_ns: '' }), /expected source_mtime_ns/],
    [list({ path, sha256, size_bytes: 1, source_mtime_ns: '9'.repeat(31) }), /expected source_mtime_ns/],
    [list({ path, sha256, size_bytes: 1, source_etag: 1 }), /expected source_etag/],
    [other({ kind: 'parquet' }), /folder of its kind/],
    [other({ kind: undefined }), /folder of its kind/],
    [other({ kind: 'toString' }), /folder of its kind/],
    [other({ path: 'data/arc.db' }), /folder of its kind/],
    [other({ path: 'manifest.json' }), /folder of its kind/],
    [other({ path: 'metadatax/arc.db' }), /folder of its kind/],
    [other({ sha256: '' }), /expected sha256.*in other_files/],
    [list({ path: 'x'.repeat(70_000), sha256, size_bytes: 1 }), /more than (4096|65536) bytes/],
    [list({ path, sha256, size_bytes: 1, junk: 'x'.repeat(200_000) }), /an element has more than 65536 bytes/],
    [`{"version":1,"junk":"${'x'.repeat(2 << 20)}","files":[]}`, /more than 1048576 bytes beside the lists/],
  ]
  for (const [text, message] of cases) {
    const expected = { code: text.includes('xxx') ? /MANIFEST_INVALID|PATH_UNSAFE/ : 'MANIFEST_INVALID', message }
    await t.rejects(read(text), expected, text.slice(0, 90))
    // The same, byte by byte: what is refused does not hang on where chunks end.
    if (text.length < 1000) await t.rejects(read(...text.split('')), { code: 'MANIFEST_INVALID' }, text.slice(0, 90))
  }
})

t.test('names that lead elsewhere are refused in both lists', async (t) => {
  for (const name of ['../../etc/x', '/etc/x', 'a//b', 'a\0', '', 'data/../../x', 'a/\ud800']) {
    const entry = JSON.stringify({ ...others[0], path: name })
    await t.rejects(read(`{"version":1,"files":[${entry}]}`), { code: 'PATH_UNSAFE' }, JSON.stringify(name))
    await t.rejects(read(`{"version":1,"other_files":[${entry}]}`), { code: 'PATH_UNSAFE' }, JSON.stringify(name))
  }
  const notUtf8 = Buffer.concat([
    Buffer.from('{"version":1,"files":[{"path":"a/'),
    Buffer.from([0xff]),
    Buffer.from('"}]}'),
  ])
  await t.rejects(read(notUtf8), { code: 'PATH_UNSAFE', message: /UTF-8/ })
})

t.test('cut short anywhere, it is not taken for whole', async (t) => {
  const bytes = Buffer.from(small().text.trimEnd())
  for (let length = 0; length < bytes.length; length += 1) {
    try {
      await read(bytes.subarray(0, length))
      t.fail(`read ${length} of ${bytes.length} bytes without an error`)
    } catch (error) {
      if ((error as { code?: string }).code !== 'MANIFEST_INVALID') t.equal(String(error), 'MANIFEST_INVALID')
    }
  }
})

t.test('random text in the place of one byte: read as JSON.parse reads it, or refused', async (t) => {
  const text = small().text
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  const tally = { read: 0, refused: 0 }
  for (let round = 0; round < 3000; round += 1) {
    const at = random(text.length)
    const changed =
      text.slice(0, at) + ['"', '\\', '{', '}', '[', ']', ',', ':', ' ', '', '0'][random(11)] + text.slice(at + 1)
    let json: { files?: unknown; other_files?: unknown } | null = null
    try {
      json = JSON.parse(changed)
    } catch {
      // Not JSON: then it must be refused.
    }
    try {
      const found = await read(changed.slice(0, at), changed.slice(at))
      tally.read += 1
      const paths = [json?.files, json?.other_files].flatMap((list) =>
        Array.isArray(list) ? list.map(({ path }) => path) : [],
      )
      if (JSON.stringify(found.map(({ path }) => path)) !== JSON.stringify(paths)) t.fail(changed)
    } catch {
      tally.refused += 1
    }
  }
  t.ok(tally.read > 100 && tally.refused > 100, JSON.stringify(tally))
})

t.test('a source that fails gives its own error, and is closed when the reader stops', async (t) => {
  async function* failing(): AsyncGenerator<Buffer> {
    yield Buffer.from(small().text.slice(0, 100))
    throw Object.assign(new Error('broken pipe'), { code: 'EPIPE' })
  }
  const reading = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const batch of parseSidecar(source)) if (batch.length > 0) break
  }
  await t.rejects(reading(failing()), { code: 'EPIPE' })
  let closed = false
  async function* watched(): AsyncGenerator<Buffer> {
    try {
      yield Buffer.from(small().text)
      yield Buffer.from('never read')
    } finally {
      closed = true
    }
  }
  await reading(watched())
  t.ok(closed)
})

t.test('100,000 entries: batches stay small, the event loop turns between them, memory does not grow', async (t) => {
  const count = 100_000
  const writer = new SidecarWriter()
  async function* written(): AsyncGenerator<Buffer> {
    let text = writer.header()
    for (let index = 0; index < count; index += 1) {
      text += writer.file({
        ...file,
        path: `metrics/disk-io/2026/01/02/03/disk-io_${index}.parquet`,
        size_bytes: index,
      })
      // One chunk far above the size of a piece, among others far below it.
      if (text.length < (index < 20_000 ? 4 << 20 : 10_000)) continue
      yield Buffer.from(text)
      text = ''
    }
    yield Buffer.from(text + writer.startOther() + writer.footer())
  }
  let turns = 0
  let done = false
  const ticking = (async () => {
    for (; !done; turns += 1) await nextTurn()
  })()
  let entries = 0
  let bytes = 0
  let batches = 0
  let largest = 0
  let early = 0
  let late = 0
  for await (const batch of parseSidecar(written())) {
    batches += 1
    largest = Math.max(largest, batch.length)
    for (const { path, size_bytes } of batch) {
      if (path !== `metrics/disk-io/2026/01/02/03/disk-io_${entries}.parquet`) t.equal(path, `entry ${entries}`)
      entries += 1
      bytes += size_bytes
    }
    if (entries < count / 2) early = Math.max(early, process.memoryUsage().heapUsed)
    else late = Math.max(late, process.memoryUsage().heapUsed)
  }
  done = true
  await ticking
  t.equal(entries, count)
  t.equal(writer.entries, count)
  t.equal(bytes, (count * (count - 1)) / 2)
  t.ok(largest <= 400, `${largest} entries in a batch`)
  t.ok(turns >= batches, `${turns} turns for ${batches} batches`)
  t.ok(late < early + (32 << 20), `${late >> 20} MiB after ${early >> 20} MiB`)
})

t.test('entries are cut out of a text, whatever their names', async (t) => {
  const writer = new SidecarWriter()
  const names = ['a', ...oddNames, 'z,\n{"path":"y"}']
  const text = names.map((name) => writer.file({ ...file, path: name })).join('')
  for (const name of names) {
    const { rest, cut } = cutEntries(text, (path) => path === name)
    t.match(cut, [{ path: name, size_bytes: 2327, database: 'metrics', measurement: 'disk-io' }])
    const again = new SidecarWriter()
    t.equal(
      rest,
      names
        .filter((other) => other !== name)
        .map((other) => again.file({ ...file, path: other }))
        .join(''),
    )
  }
  t.same(
    cutEntries(text, () => false),
    { rest: text, cut: [] },
  )
  t.match(
    cutEntries(text, () => true),
    { rest: '', cut: { length: names.length } },
  )
  t.same(
    cutEntries('', () => true),
    { rest: '', cut: [] },
  )
})

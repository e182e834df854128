import { writeFileSync } from 'node:fs'
import t from 'tap'
import { entriesIn } from '../../src/engine/sidecar-lines.js'
import { findRuns } from '../../src/engine/sidecar-runs.js'
import { SidecarWriter } from '../../src/format/sidecar.js'

const sha256 = 'a'.repeat(64)

/** A list with names of every kind, as a backup writes it. */
function write(file: string, paths: readonly string[], others: readonly string[] = []): number {
  const writer = new SidecarWriter()
  let text = writer.header()
  for (const path of paths) {
    const names = { database: 'db', measurement: 'm' }
    text += writer.file({ path, sha256, size_bytes: 1, ...names, source_mtime_ns: '1700000000000000000' })
  }
  text += writer.startOther()
  for (const path of others) text += writer.other({ path, kind: 'auxiliary', sha256, size_bytes: 1 })
  text += writer.other({ path: 'metadata/arc.db', kind: 'metadata', sha256, size_bytes: 1 }) + writer.footer()
  writeFileSync(file, text)
  return Buffer.byteLength(text)
}

const paths = Array.from(
  { length: 3000 },
  (_, index) => `db/m${index % 2}/günstig "${'x'.repeat(index % 100)}" ${index}`,
)

t.test('parts of a list share no entry and miss none, wherever they begin', async (t) => {
  const file = `${t.testdir({})}/list.json`
  const size = write(file, paths, ['data/_schema/a'])
  const whole = [...entriesIn(file, 0, size)]
  t.same(
    whole.map(({ entry }) => entry.path),
    [...paths, 'data/_schema/a', 'metadata/arc.db'],
  )
  for (const step of [1 << 20, 65_537, 1000, 97]) {
    const found: string[] = []
    for (let at = 0; at < size; at += step)
      for (const { entry } of entriesIn(file, at, at + step)) found.push(entry.path)
    t.same(
      found,
      whole.map(({ entry }) => entry.path),
      `${step} bytes at a time`,
    )
  }
  for (const index of [0, 1, 1500, 3001]) {
    const placed = whole[index]
    t.same([...entriesIn(file, placed?.start ?? 0, placed?.end ?? 0)], [placed])
  }
})

t.test('runs: every file of a folder lies in one that spans its name', async (t) => {
  const file = `${t.testdir({})}/list.json`
  const sorted = [...paths].sort()
  const size = write(file, sorted, ['data/_schema/a'])
  const { folders, least, greatest, starts, ends } = findRuns(file, 0, size)
  const [folderOf, first, last] = [folders, least, greatest].map((column) => column.split('\0'))
  t.equal(starts.length, 7, 'three runs of at most 512 files for each folder of 1,500, and one for the anchor')
  for (const path of [...sorted, '_schema/a']) {
    const slash = path.lastIndexOf('/') + 1
    const [folder, name] = [path.slice(0, slash), path.slice(slash)]
    const hits = [...starts.keys()].filter(
      (run) => folderOf?.[run] === folder && (first?.[run] ?? '') <= name && name <= (last?.[run] ?? ''),
    )
    const found = hits.flatMap((run) => [...entriesIn(file, starts[run] ?? 0, ends[run] ?? 0)])
    if (!found.some(({ entry }) => entry.path === path || entry.path === `data/${path}`)) t.fail(path)
    if (hits.length !== 1) t.fail(`${path} in ${hits.length} runs`)
  }
  t.same(findRuns(file, size, size + 100).starts.length, 0)
})

t.test('a line that is longer than any entry is passed over, and not held', async (t) => {
  const file = `${t.testdir({})}/list.json`
  const entry = (path: string): string => `{"path":"${path}","sha256":"${sha256}","size_bytes":1}`
  const long = `"${'x'.repeat(3 << 20)}",`
  const text = `{"version":1,"files":[\n${entry('first')},\n${long}\n${entry('last')}\n],"other_files":[\n]}\n`
  writeFileSync(file, text)
  t.same(
    [...entriesIn(file, 0, text.length)].map(({ entry: { path } }) => path),
    ['first', 'last'],
  )
})

t.test('a line that is no entry ends it', async (t) => {
  const file = `${t.testdir({})}/list.json`
  writeFileSync(file, '{"version":1,"files":[\n{"path":"../x","sha256":"","size_bytes":1}\n]}\n')
  t.throws(() => findRuns(file, 0, 1000), { code: 'PATH_UNSAFE' })
  writeFileSync(file, '{"version":1,"files":[\n{"path":"x","sha2\n]}\n')
  t.throws(() => findRuns(file, 0, 1000), { code: 'MANIFEST_INVALID' })
})

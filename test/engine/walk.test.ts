import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t, { type Test } from 'tap'
import { type Batch, pathsOf, unpack } from '../../src/engine/batch.js'
import { PartitionPrints } from '../../src/engine/partition-prints.js'
import { openPool, type Pool } from '../../src/engine/pool.js'
import { isLeftOut, type ListTask, listLevel, walk } from '../../src/engine/walk.js'
import { LocalStore } from '../../src/stores/local.js'

const task = { store: 'storage', folders: [''], excluded: [], namesOnly: false }

function poolOver(t: Test, root: string): Pool {
  const pool = openPool({ workers: 2, stores: { storage: { kind: 'local', root } } })
  t.teardown(() => pool.close())
  return pool
}

async function walkAll(pool: Pool, more: Partial<ListTask> = {}): Promise<string[]> {
  const found: string[] = []
  const batch = (batch: Batch): void => void found.push(...pathsOf(batch))
  await walk(pool, { ...task, ...more }, { batch })
  return found.sort()
}

const tree = {
  db: {
    '.arc-database': '{}',
    m: { '2026': { 'a.parquet': 'aa', '.hidden.parquet': '', 'b.parquet.tmp': '' }, 'note.txt': '' },
    metadata: { 'v1.json': '1' },
  },
  other: { m: { 'c.parquet': '' } },
  '.tmp': { m: { 'd.parquet': '' } },
  _schema: { db: { 'm.parquet': '' }, other: { 'm.parquet': '' } },
  backups: { x: { data: { 'e.parquet': '' } } },
  'root.parquet': '',
}

t.test('one level: files that a backup holds, and folders to go on with', async (t) => {
  const root = t.testdir(tree)
  for (const door of ['listLevel', 'list'] as const) {
    const store = new LocalStore(root)
    if (door === 'list') Object.defineProperty(store, 'listLevel', { value: undefined })
    const excluded = ['backups']
    const top = await listLevel({ ...task, kind: 'list', excluded }, store)
    t.same([...top.folders].sort(), ['_schema', 'db', 'other'], door)
    t.same(top.batches.flatMap(pathsOf), ['root.parquet'])
    const { batches } = await listLevel({ ...task, kind: 'list', folders: ['db', 'db/m/2026', 'db/metadata'] }, store)
    const files = batches.flatMap(unpack)
    t.same(
      files.map(({ path, size }) => [path, size]).sort(),
      [
        ['db/.arc-database', 2],
        ['db/m/2026/a.parquet', 2],
        ['db/metadata/v1.json', 1],
      ],
      'hidden and unfinished files are none',
    )
    t.ok(files.every(({ mtimeNs }) => mtimeNs > 0n))
    const names = await listLevel({ ...task, kind: 'list', folders: ['db/m/2026', 'db/gone'], namesOnly: true }, store)
    t.match(names.batches.flatMap(unpack), [{ path: 'db/m/2026/a.parquet', size: 0, mtimeNs: 0n }])
    const scoped = await listLevel(
      { ...task, kind: 'list', folders: ['_schema/db', '_schema/other', 'db/m/2026'], databases: ['other'] },
      store,
    )
    t.same(scoped.batches.flatMap(pathsOf), ['_schema/other/m.parquet'])
  }
})

t.test('all of it, in threads; what is excluded is not walked', async (t) => {
  const root = t.testdir(tree)
  symlinkSync('/', `${root}/db/link`)
  execFileSync('mkfifo', [`${root}/db/m/pipe.parquet`])
  const pool = poolOver(t, root)
  const all = [
    '_schema/db/m.parquet',
    '_schema/other/m.parquet',
    'backups/x/data/e.parquet',
    'db/.arc-database',
    'db/m/2026/a.parquet',
    'db/metadata/v1.json',
    'other/m/c.parquet',
    'root.parquet',
  ]
  t.same(await walkAll(pool), all)
  t.same(
    await walkAll(pool, { excluded: ['backups', 'root.parquet', 'db/m'] }),
    all.filter((path) => !/^(backups|root|db.m.2026)/.test(path)),
  )
  t.same(await walkAll(pool, { folders: ['db', 'gone', '_schema'], databases: ['db', 'gone'] }), [
    '_schema/db/m.parquet',
    'db/.arc-database',
    'db/m/2026/a.parquet',
    'db/metadata/v1.json',
  ])
})

t.test('many folders, and folders that vanish on the way', async (t) => {
  const root = t.testdir({})
  const expected: string[] = []
  for (let index = 0; index < 300; index += 1) {
    mkdirSync(`${root}/db/m${index}/deep`, { recursive: true })
    writeFileSync(`${root}/db/m${index}/deep/a.parquet`, '')
    writeFileSync(`${root}/db/m${index}/a.parquet`, '')
    expected.push(`db/m${index}/a.parquet`, `db/m${index}/deep/a.parquet`)
  }
  const pool = poolOver(t, root)
  t.same(await walkAll(pool), expected.sort())
  let first = true
  const found: string[] = []
  const batch = (batch: Batch): void => {
    found.push(...pathsOf(batch))
    if (first) for (let index = 0; index < 300; index += 1) rmSync(`${root}/db/m${index}/deep`, { recursive: true })
    first = false
  }
  await walk(pool, task, { batch })
  t.ok(found.length >= 300 && found.length <= 600)
  t.equal(found.filter((path) => !path.includes('deep')).length, 300)
})

t.test('a failure of a thread, and of who is handed the files, ends the walk', async (t) => {
  const root = t.testdir(tree)
  const pool = poolOver(t, root)
  await t.rejects(walkAll(pool, { folders: ['../'] }), { code: 'PATH_INVALID' })
  await t.rejects(walkAll(pool, { folders: ['root.parquet', 'db'] }), { code: 'STORE_NOT_FOUND' })
  let calls = 0
  const batch = async (): Promise<void> => {
    calls += 1
    throw new Error('no room')
  }
  const walking = walk(pool, task, { batch })
  await t.rejects(walking, { message: 'no room' })
  t.ok(calls >= 1 && calls <= 3, `${calls}`)
})

t.test('what is left out: hidden folders, and what lies where Arc or we keep our own files', async (t) => {
  const excluded = new Set(['data/backups', 'arc.db'])
  for (const [path, expected] of [
    ['.tmp/', true],
    ['db/.sync/', true],
    ['data/backups/', true],
    ['data/backups', true],
    ['arc.db', true],
    ['data/', false],
    ['db/arc.db', false],
    ['db/.arc-database', false],
  ] as const) {
    t.equal(isLeftOut(path, excluded), expected, path)
  }
  t.equal(isLeftOut('arc.db', new Set()), false)
})

t.test('what is in the partitions, as the threads add it up', async (t) => {
  const root = t.testdir({})
  const paths = Array.from(
    { length: 300 },
    (_, index) => `db/m/2026/01/0${1 + (index % 3)}/0${index % 7}/${index}.parquet`,
  )
  for (const path of paths) {
    mkdirSync(dirname(`${root}/${path}`), { recursive: true })
    writeFileSync(`${root}/${path}`, path)
  }
  const pool = poolOver(t, root)
  const [here, there] = [new PartitionPrints(), new PartitionPrints()]
  await walk(pool, task, { batch: (batch) => here.add(batch) })
  let files = 0
  await walk(
    pool,
    { ...task, printed: true },
    { batch: () => void t.fail('no files'), prints: (rows) => there.merge(rows) },
  )
  for (const [, count] of there.rows()) files += count
  t.equal(files, 300)
  t.same(here.differing(there), new Set())
  writeFileSync(`${root}/${paths[0]}`, 'another size')
  const later = new PartitionPrints()
  await walk(pool, { ...task, printed: true }, { prints: (rows) => later.merge(rows) })
  t.same(later.differing(there), new Set(['db/m/2026/01/01']))
})

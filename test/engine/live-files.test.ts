import t, { type Test } from 'tap'
import { LiveFiles } from '../../src/engine/live-files.js'

const day = 'db/cpu/2026/01/01'
const file = (path: string, size = 1, mtimeNs = 5_000_000n) => ({ path, size, mtimeNs })

function open(t: Test): LiveFiles {
  const live = new LiveFiles(`${t.testdir({})}/live.db`)
  t.teardown(() => live.close())
  return live
}

t.test('says what becomes of a live file, and remembers', (t) => {
  const live = open(t)
  const late = 1_700_000_000_123_456_789n
  for (const path of ['a', 'b', 'c', 'd']) live.add(file(path, 1, late))
  live.add({ ...file('e', 1, 7n), etag: 'v1' })
  live.add({ ...file('f', 1, 7n), etag: 'v1' })
  t.equal(live.meet(file('a', 1, late + 900n)), 'unchanged', 'times come back to the microsecond')
  t.equal(live.meet(file('b', 1, late + 5000n)), 'changed')
  t.equal(live.meet(file('c', 2, late)), 'changed')
  t.equal(live.meet({ ...file('e', 1, 9n), etag: 'v1' }), 'unchanged', 'a version tag says more than a time')
  t.equal(live.meet({ ...file('f', 1, 7n), etag: 'v2' }), 'changed')
  t.equal(live.meet(file('none')), null)
  t.same(
    [...live.pages()].flat().map(({ path, fate, mtimeNs }) => [path, fate, mtimeNs]),
    [
      ['a', 'unchanged', late],
      ['b', 'changed', late],
      ['c', 'changed', late],
      ['d', null, late],
      ['e', 'unchanged', 7n],
      ['f', 'changed', 7n],
    ],
  )
  t.end()
})

t.test('pages go on where they ended', (t) => {
  const live = open(t)
  for (let index = 0; index < 1000; index += 1) live.add(file(`f${index}`))
  const pages = [...live.pages()]
  t.ok(pages.length > 3)
  t.equal(new Set(pages.flat().map(({ path }) => path)).size, 1000)
  t.end()
})

t.test('a partition is mixed where one side is compacted and the other may be what it was made of', (t) => {
  const live = open(t)
  const note = (name: string, restored: string[], kept: string[]) => {
    const place = (path: string) => `${name}/cpu/2026/01/01/00/${path}`
    live.note(restored.map(place), 'restored')
    live.note(kept.map(place), 'kept')
  }
  note('raw-beside-raw', ['a.parquet'], ['b.parquet'])
  note('raw-beside-compacted', ['a.parquet'], ['b_compacted.parquet'])
  note('compacted-beside-raw', ['a_compacted.parquet'], ['b.parquet'])
  note('daily', ['a_compacted.parquet'], ['b_daily.parquet'])
  note('restored-only', ['a.parquet', 'b_compacted.parquet'], [])
  note('kept-only', [], ['a.parquet', 'b_compacted.parquet'])
  live.note([`${day}/x_daily.parquet`], 'kept')
  live.note([`${day}/03/y.parquet`, '_schema/db/cpu.parquet', 'db/.arc-database'], 'restored')
  t.same([...live.mixedPartitions()].flat(), [
    'compacted-beside-raw/cpu/2026/01/01',
    'daily/cpu/2026/01/01',
    day,
    'raw-beside-compacted/cpu/2026/01/01',
  ])
  t.end()
})

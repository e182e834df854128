import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { changedSince, findChanged, isBelow } from '../../src/engine/changed-folders.js'
import { Listing } from '../../src/engine/chunks.js'
import { listSource } from '../../src/engine/list-source.js'
import { LocalStore } from '../../src/stores/local.js'
import { openScene, wholeBackup } from './scene.js'

/** Longer than what counts as too fresh. */
const aging = 2200
const day = 'db/m/2026/01/02'

t.test('the smallest set of folders that holds what has changed', async (t) => {
  const scene = openScene(t)
  const { storage, put } = scene
  put(`${day}/03/a.parquet`, `${day}/04/a.parquet`, 'db/m/2026/01/05/00/a.parquet', 'db2/m/2026/01/02/00/a.parquet')
  await sleep(aging)
  const run = scene.open()
  await listSource(run, new Listing(), undefined)
  t.same(await changedSince(run, new Set()), new Set(), 'nothing has')
  t.same(await changedSince(run, new Set(['db/m/2026/01/05'])), new Set(['db/m/2026/01/05']))

  writeFileSync(`${storage}/new`, 'new')
  renameSync(`${storage}/new`, `${storage}/${day}/03/a.parquet`)
  t.same(await changedSince(run, new Set()), new Set(['']), 'the root had a file for a moment')
})

t.test('a partition for what is in one, else the folder', async (t) => {
  const scene = openScene(t)
  const { storage, put } = scene
  put(`${day}/03/a.parquet`, `${day}/04/a.parquet`, 'db/m/2026/01/05/00/a.parquet', 'db2/m/2026/01/02/00/a.parquet')
  await sleep(aging)
  const run = scene.open()
  await listSource(run, new Listing(), undefined)
  rmSync(`${storage}/${day}/03/a.parquet`)
  rmSync(`${storage}/db/m/2026/01/05/00`, { recursive: true })
  t.same(await changedSince(run, new Set()), new Set([day, 'db/m/2026/01/05']))
  mkdirSync(`${storage}/db/m/2026/02`)
  t.same(await changedSince(run, new Set()), new Set(['db/m/2026']), 'what is below it goes with it')
})

t.test('a storage that can not tell, and one that was not asked', async (t) => {
  const scene = openScene(t)
  scene.put(`${day}/03/a.parquet`)
  const run = scene.open()
  t.equal(await changedSince(run, new Set()), undefined)
  const store = new LocalStore(scene.storage)
  t.same(findChanged({ paths: 'db\0db/m', times: BigInt64Array.of(-1n, 5n) }, store), ['db', 'db/m'])
  Object.defineProperty(store, 'folderTimes', { value: undefined })
  t.same(findChanged({ paths: 'db', times: BigInt64Array.of(5n) }, store), ['db'])
})

t.test('a folder is below itself, and below the root', async (t) => {
  t.ok(isBelow('a/b', new Set(['a'])))
  t.ok(isBelow('a/b', new Set(['a/b'])))
  t.ok(isBelow('a/b', new Set([''])))
  t.notOk(isBelow('a/b', new Set(['a/bc', 'b'])))
  t.notOk(isBelow(null, new Set([''])))
})

t.test('a backup of a source that has stood still lists no file twice, and follows one that moves', async (t) => {
  const scene = openScene(t)
  const { storage, put } = scene
  put(`${day}/03/a.parquet`, `${day}/03/b.parquet`, 'db/m/2026/01/05/00/a.parquet')
  await sleep(aging)
  for (const moves of [false, true]) {
    const run = scene.open()
    const printed: string[] = []
    const pool = {
      ...run.pool,
      list: async (task: Parameters<typeof run.pool.list>[0]) => {
        if (task.printed) printed.push(...task.folders)
        return run.pool.list(task)
      },
      transfer: async (task: Parameters<typeof run.pool.transfer>[0]) => {
        const outcome = await run.pool.transfer(task)
        if (moves && task.kind === 'copy' && task.live) rmSync(`${storage}/${day}/03/a.parquet`, { force: true })
        return outcome
      },
    }
    t.equal(await runBackup({ ...run, pool }, wholeBackup), 'completed')
    t.same(run.tracker.settled?.replacedFiles, moves ? 1 : 0)
    t.same(printed, moves ? [day, `${day}/03`] : [])
  }
})

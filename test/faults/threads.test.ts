import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { openPool } from '../../src/engine/pool.js'
import { runRestore } from '../../src/engine/restore.js'
import { openScene, restoreOf, type Scene, wholeBackup } from '../engine/scene.js'
import { hashTree } from '../support/tree.js'
import type { Planned } from './plan.js'
import type { FaultyConfig } from './thread.js'

// The same faults in real threads. They open their stores by themselves, from plain values: so the faults are a part of those values, which only the entry of
// this test understands.

const entry = fileURLToPath(import.meta.resolve('./thread.js'))

function open(t: Test, faults: Readonly<Record<string, readonly Planned[]>>): Scene {
  const scene = openScene(t, {}, undefined, {
    wrap: (store) => store,
    pool: ({ stores }) => {
      const withFaults = Object.entries(stores).map(([name, config]): [string, FaultyConfig] => [
        name,
        { ...config, faults: faults[name] ?? [] },
      ])
      const pool = openPool({ workers: 2, stores: Object.fromEntries(withFaults), entry })
      t.teardown(() => pool.close())
      return pool
    },
  })
  for (let index = 0; index < 40; index += 1) scene.put([`db/m/2026/01/01/${index}.parquet`, `file ${index}`])
  return scene
}

t.test('a target that is full at the third file of a thread', async (t) => {
  const fault = { kind: 'error', error: 'ENOSPC' } as const
  const scene = open(t, { 'target:local': [{ method: 'copy', call: 3, fault }] })
  await t.rejects(runBackup(scene.open(), wholeBackup), { code: 'STORE_FULL', message: /no space left/ })
  t.same(readdirSync(scene.target), [])
})

t.test('files that can not be read are gaps, or too many of them', async (t) => {
  const fault = { kind: 'error', error: 'EIO' } as const
  const some = open(t, { storage: [{ method: 'readSmall', path: /\/[12]\.parquet/, fault }] })
  const run = some.open()
  t.equal(await runBackup(run, wholeBackup), 'completed', 'local disk to local disk goes by another door')
  const other = open(t, {
    storage: [
      { method: 'read', path: /\/[12]\.parquet/, fault },
      { method: 'readSmall', path: /\/[12]\.parquet/, fault },
    ],
  })
  const gaps = other.open()
  t.equal(await runBackup(gaps, wholeBackup), 'gaps')
  t.same(
    gaps.tracker.skippedSample.map(({ path }) => path).sort(),
    [1, 2].map((index) => `db/m/2026/01/01/${index}.parquet`),
  )
})

t.test('a bit that a thread reads wrong is refused', async (t) => {
  const flip = { method: 'readSmall', path: /\/7\.parquet/, at: 2, fault: { kind: 'flip' } } as const
  const scene = open(t, { 'target:local': [flip, { ...flip, method: 'read' }] })
  const run = scene.open()
  await runBackup(run, wholeBackup)
  // What is as the backup has it is left alone, and so nothing would be read.
  for (let index = 0; index < 40; index += 1) scene.put([`db/m/2026/01/01/${index}.parquet`, `other ${index}`])
  const before = hashTree(scene.storage)
  const restore = scene.open('restore', run.backupId)
  await t.rejects(runRestore(restore, restoreOf(run.backupId, { allOrNothing: true })), {
    code: 'INTEGRITY',
    message: /1 of 40 files/,
  })
  t.same(hashTree(scene.storage), before)
})

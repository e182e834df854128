import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import type { RestoreRequest } from '../../src/engine/operation.js'
import type { Pool } from '../../src/engine/pool.js'
import { runRestore } from '../../src/engine/restore.js'
import type { Run } from '../../src/engine/run.js'
import { hashTree } from '../support/tree.js'
import { openScene, type Scene, wholeBackup } from './scene.js'

const paths = Array.from({ length: 5 }, (_, index) => `db/m/2026/01/01/00/${index}.parquet`)

function request(run: Run, more: Partial<RestoreRequest> = {}): RestoreRequest {
  return {
    backupId: run.backupId,
    restoreData: true,
    restoreMetadata: false,
    restoreConfig: false,
    mode: 'merge',
    allOrNothing: false,
    staging: 'all',
    ...more,
  }
}

async function backUp(t: Test): Promise<{ scene: Scene; id: string }> {
  const scene = openScene(t)
  scene.put(...paths)
  const run = scene.open()
  await runBackup(run, wholeBackup)
  return { scene, id: run.backupId }
}

for (const staging of ['all', 'file'] as const) {
  t.test(`restoring an intact directory reads it and writes nothing (staging ${staging})`, async (t) => {
    const { scene, id } = await backUp(t)
    const before = paths.map((path) => statSync(`${scene.storage}/${path}`, { bigint: true }))
    // What is not read can't be missed.
    rmSync(`${scene.target}/${id}/data/${paths[0]}`)
    writeFileSync(`${scene.target}/${id}/data/${paths[0]}`, 'of the same name')
    const run = scene.open('restore', id)
    t.equal(await runRestore(run, request(run, { staging })), 'completed')
    t.match(run.tracker.snapshot(), { processedFiles: 5, unchangedFiles: 5, totalFiles: 5 })
    t.equal(run.tracker.snapshot().processedBytes, run.tracker.totalBytes)
    for (const [index, path] of paths.entries()) {
      const { ino, ctimeNs } = statSync(`${scene.storage}/${path}`, { bigint: true })
      t.same({ ino, ctimeNs }, { ino: before[index]?.ino, ctimeNs: before[index]?.ctimeNs })
    }
  })

  t.test(`only what differs is written (staging ${staging})`, async (t) => {
    const { scene, id } = await backUp(t)
    const before = hashTree(scene.storage)
    const [first = '', second = '', third = ''] = paths
    writeFileSync(`${scene.storage}/${first}`, 'x'.repeat(first.length))
    rmSync(`${scene.storage}/${second}`)
    writeFileSync(`${scene.storage}/${third}`, 'shorter')
    const run = scene.open('restore', id)
    t.equal(await runRestore(run, request(run, { staging })), 'completed')
    t.match(run.tracker.snapshot(), { processedFiles: 5, unchangedFiles: 2 })
    t.same(hashTree(scene.storage), before)
  })
}

t.test('compared by size and time, other bytes are not seen, another time is', async (t) => {
  const { scene, id } = await backUp(t)
  const [first = '', second = ''] = paths
  const { atime, mtime } = statSync(`${scene.storage}/${first}`)
  writeFileSync(`${scene.storage}/${first}`, 'x'.repeat(first.length))
  utimesSync(`${scene.storage}/${first}`, atime, mtime)
  utimesSync(`${scene.storage}/${second}`, atime, new Date(0))
  const run = scene.open('restore', id)
  // A time that was set has microseconds: to be seen as the same it must be the listed one.
  await runRestore(run, request(run, { compare: 'stat' }))
  t.equal(readFileSync(`${scene.storage}/${second}`, 'utf8'), second)
  t.not(statSync(`${scene.storage}/${second}`).mtimeMs, 0)
  t.ok(run.tracker.snapshot().unchangedFiles >= 3)
})

t.test('what was left alone and is gone by the switch is put back after all', async (t) => {
  const { scene, id } = await backUp(t)
  const before = hashTree(scene.storage)
  rmSync(`${scene.storage}/${paths[4]}`)
  const run = scene.open('restore', id)
  const pool: Pool = {
    ...run.pool,
    transfer: async (task) => {
      // Arc goes on merging: its files go between the look and the switch.
      if (task.kind === 'confirm') rmSync(`${scene.storage}/${paths[0]}`)
      return run.pool.transfer(task)
    },
  }
  t.equal(await runRestore({ ...run, pool }, request(run)), 'completed')
  t.match(run.tracker.snapshot(), { processedFiles: 5, unchangedFiles: 3 })
  t.same(hashTree(scene.storage), before)
})

t.test('into an empty root nothing is compared', async (t) => {
  const { scene, id } = await backUp(t)
  const before = hashTree(scene.storage)
  rmSync(scene.storage, { recursive: true })
  mkdirSync(scene.storage)
  const run = scene.open('restore', id)
  const compared: unknown[] = []
  const pool: Pool = {
    ...run.pool,
    transfer: async (task) => {
      if (task.kind === 'copy') compared.push(task.compare)
      return run.pool.transfer(task)
    },
  }
  t.equal(await runRestore({ ...run, pool }, request(run)), 'completed')
  t.same([...new Set(compared)], [undefined])
  t.same(hashTree(scene.storage), before)
})

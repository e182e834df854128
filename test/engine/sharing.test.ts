import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import type { Pool } from '../../src/engine/pool.js'
import { runRestore } from '../../src/engine/restore.js'
import type { Run } from '../../src/engine/run.js'
import { runVerify } from '../../src/engine/verify.js'
import { mountImage } from '../support/mount.js'
import { hashTree } from '../support/tree.js'
import { openScene, restoreOf, type Scene, wholeBackup } from './scene.js'

const [files, size] = [8, 4 << 20]

function used(folder: string): number {
  execFileSync('sync', ['-f', folder])
  const { blocks, bfree, bsize } = statfsSync(folder)
  return (blocks - bfree) * bsize
}

function put(scene: Scene): void {
  scene.put(
    ...Array.from({ length: files }, (_, index): [string, Buffer] => [
      `db/m/2026/01/01/0${index}/${index}.parquet`,
      randomBytes(size),
    ]),
  )
}

/** The same with a pool that notes whether copies may share blocks. */
function watched(run: Run, told: boolean[]): Run {
  const transfer: Pool['transfer'] = (task) => {
    if (task.kind === 'copy' && task.batch.sizes.includes(size)) told.push(task.share === true)
    return run.pool.transfer(task)
  }
  return { ...run, pool: { ...run.pool, transfer } }
}

for (const kind of ['xfs', 'btrfs'] as const) {
  t.test(`on ${kind} a backup of files beside it, and a restore, take no room and are whole`, async (t) => {
    const scene = openScene(t, {}, mountImage(t, kind))
    put(scene)
    const before = used(scene.folder)
    const told: boolean[] = []
    const run = watched(scene.open(), told)
    await runBackup(run, wholeBackup)
    t.ok(used(scene.folder) - before < (files * size) / 8, `${used(scene.folder) - before} bytes`)
    t.match(run.tracker.snapshot(), { processedFiles: files, processedBytes: files * size, reusedFiles: 0 })
    t.same(hashTree(`${scene.target}/${run.backupId}/data`), hashTree(scene.storage))

    const check = scene.open('verify', run.backupId)
    const verdicts: unknown[] = []
    const keep = (verdict: unknown): void => void verdicts.push(verdict)
    t.equal(await runVerify(check, { backupId: run.backupId, level: 'full' }, { keep }), 'completed')
    t.match(verdicts, [{ verdict: 'full' }])

    const expected = hashTree(scene.storage)
    rmSync(scene.storage, { recursive: true })
    mkdirSync(scene.storage)
    // Room for two thirds of them.
    const { bavail, bsize } = statfsSync(scene.folder)
    writeFileSync(`${scene.folder}/filler`, randomBytes(bavail * bsize - (files * size * 2) / 3))
    const emptied = used(scene.folder)
    const back = watched(scene.open('restore', run.backupId), told)
    t.equal(await runRestore(back, restoreOf(run.backupId)), 'completed')
    t.ok(used(scene.folder) - emptied < (files * size) / 8)
    t.same(hashTree(scene.storage), expected)
    t.ok(told.length > 1 && told.every(Boolean))
  })

  t.test(`on ${kind} a backup that could not be copied finds room`, async (t) => {
    const folder = mountImage(t, kind)
    const scene = openScene(t, {}, folder)
    const { bavail, bsize } = statfsSync(folder)
    const large = Math.floor((bavail * bsize * 0.55) / files)
    for (let index = 0; index < files; index += 1)
      scene.put([`db/m/2026/01/01/0${index}/${index}.parquet`, randomBytes(large)])
    used(folder)
    t.ok(statfsSync(folder).bavail * bsize < files * large)
    const run = scene.open()
    t.equal(await runBackup(run, wholeBackup), 'completed')
  })
}

t.test('what a kill has left of such a try, and of a staged file, is in nobody’s way', async (t) => {
  const scene = openScene(t)
  scene.put(['db/m/2026/01/01/00/a.parquet', 'a'])
  const run = scene.open()
  mkdirSync(`${scene.target}/${run.backupId}/data`, { recursive: true })
  writeFileSync(`${scene.target}/${run.backupId}/data/.${run.id}.part`, 'left')
  t.equal(await runBackup(run, wholeBackup), 'completed')
  t.same(readdirSync(`${scene.target}/${run.backupId}/data`), ['db'])

  const expected = hashTree(scene.storage)
  const back = scene.open('restore', run.backupId)
  writeFileSync(`${scene.storage}/db/m/2026/01/01/00/a.parquet`, 'changed')
  writeFileSync(`${scene.storage}/db/m/2026/01/01/00/.a.parquet.${back.id}.part`, 'left')
  t.equal(await runRestore(back, { ...restoreOf(run.backupId), staging: 'file' }), 'completed')
  t.same(hashTree(scene.storage), expected)
})

t.test('elsewhere one file is tried, nothing of it stays, and copying is as ever', async (t) => {
  const scene = openScene(t, {}, mountImage(t, 'ext4', 160))
  put(scene)
  const told: boolean[] = []
  const run = watched(scene.open(), told)
  let tried = 0
  const { target } = run
  const door = target.sharesBlocks?.bind(target)
  target.sharesBlocks = async (...given) => {
    tried += 1
    return (await door?.(...given)) ?? false
  }
  await runBackup(run, wholeBackup)
  t.equal(tried, 1)
  t.ok(told.length > 0 && !told.some(Boolean))
  t.same(readdirSync(`${scene.target}/${run.backupId}`).sort(), ['data', 'manifest-files.json', 'manifest.json'])
  t.same(readdirSync(`${scene.target}/${run.backupId}/data`), ['db'])
})

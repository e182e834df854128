import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import type { Run } from '../../src/engine/run.js'
import { checkSource, sourceDevice } from '../../src/engine/source-root.js'
import { mountImage, withSmallDisk } from '../support/mount.js'
import { openScene, type Scene, wholeBackup } from './scene.js'

const files = 3000
/** What two lanes for each of two threads may have taken before the first answer of a batch is in. */
const mostTried = 4 * 256

/** As many files as ten tasks take. */
function fill(scene: Scene): void {
  for (let index = 0; index < files; index += 1) scene.put(`db/m/2026/01/01/${index % 24}/${index}.parquet`)
}

/** A backup; `happens` once every file is listed and none is copied. Answers what it ends with, and how many files it tried to copy. */
async function backUp(run: Run, happens: () => unknown): Promise<{ error: unknown; tried: number }> {
  let tried = 0
  const pool: Run['pool'] = {
    ...run.pool,
    transfer: async (task) => {
      while (!run.tracker.totalsKnown) await new Promise(setImmediate)
      if (task.kind === 'copy') {
        if (tried === 0) happens()
        tried += task.batch.sizes.length
      }
      return run.pool.transfer(task)
    },
  }
  const error = await runBackup({ ...run, pool }, wholeBackup).then(
    () => null,
    (error: unknown) => error,
  )
  return { error, tried }
}

function isOver(t: Test, { error, tried }: { error: unknown; tried: number }, wanted: object): void {
  t.match(error, wanted)
  t.ok(tried > 0 && tried <= mostTried, `${tried} of ${files} files were tried`)
}

t.test('a storage root that is gone ends the backup at once', async (t) => {
  const scene = openScene(t)
  fill(scene)
  const found = await backUp(scene.open(), () => renameSync(scene.storage, `${scene.storage}-gone`))
  isOver(t, found, { code: 'STORE_NOT_FOUND', message: /^cannot list .* it does not exist$/ })
})

t.test('so does one that was unmounted, also where something lies below it', async (t) => {
  for (const below of [[], ['db/m/2026/01/01/00/of-old.parquet']]) {
    const scene = openScene(t)
    scene.put(...below)
    await withSmallDisk(scene.storage, '64m', async () => {
      fill(scene)
      const found = await backUp(scene.open(), () => execFileSync('umount', ['-l', scene.storage]))
      // For the end of `withSmallDisk`.
      execFileSync('mount', ['-t', 'tmpfs', 'none', scene.storage])
      isOver(t, found, {
        code: 'STORE_NOT_FOUND',
        message: /^cannot read .*storage: it lies on another file system now/,
      })
    })
  }
})

t.test('and one whose disk is gone', async (t) => {
  const mounted = mountImage(t, 'xfs')
  const scene = openScene(t)
  execFileSync('mount', ['--bind', mounted, scene.storage])
  t.teardown(() => void execFileSync('umount', [scene.storage]))
  fill(scene)
  const found = await backUp(scene.open(), () => execFileSync('xfs_io', ['-x', '-c', 'shutdown', mounted]))
  isOver(t, found, { code: 'STORE_IO', message: /^cannot list .* input\/output error$/ })
})

t.test('one file that vanished is no reason to end', async (t) => {
  const scene = openScene(t)
  scene.put('db/m/2026/01/01/00/a.parquet', 'db/m/2026/01/01/00/b.parquet')
  const run = scene.open()
  const { error } = await backUp(run, () => rmSync(`${scene.storage}/db/m/2026/01/01/00/a.parquet`))
  t.equal(error, null)
  t.equal(run.tracker.skippedFiles, 0)
})

t.test('an empty root is a source without files; one that cannot be looked at has no file system', async (t) => {
  const scene = openScene(t)
  await checkSource(scene.open())
  t.equal(sourceDevice(null), null)
  t.equal(sourceDevice(`${scene.folder}/none`), null)
  mkdirSync(`${scene.folder}/other`)
  writeFileSync(`${scene.folder}/other/file`, '')
  t.equal(sourceDevice(`${scene.folder}/other`), sourceDevice(scene.storage))
})

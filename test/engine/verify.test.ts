import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import type { VerifyLevel } from '../../src/engine/operation.js'
import type { Run } from '../../src/engine/run.js'
import type { Verdict } from '../../src/engine/verdicts.js'
import { runVerify } from '../../src/engine/verify.js'
import { newBackupId } from '../../src/format/backup-id.js'
import { sealAnew } from '../support/seal.js'
import type { Json } from '../support/service.js'
import { openScene, type Scene, wholeBackup } from './scene.js'

const paths = ['db/cpu/2026/01/01/00/a.parquet', 'db/cpu/2026/01/01/01/b.parquet', 'db/.arc-database']

/** A backup of three files; no Parquet in them. */
async function backUp(t: Test): Promise<{ scene: Scene; id: string; backup: string }> {
  const scene = openScene(t)
  scene.put(...paths)
  const id = newBackupId(new Date())
  await runBackup(scene.open('backup', id), wholeBackup)
  return { scene, id, backup: `${scene.target}/${id}` }
}

/** Verifies, and answers what was found and kept. */
async function verify(scene: Scene, id: string, level: VerifyLevel = 'full', before: (run: Run) => void = () => {}) {
  const run = scene.open('verify', id)
  const kept: Verdict[] = []
  const findings: Json[] = []
  let failure: unknown = null
  const keep = (verdict: Verdict, file: string): void => {
    kept.push(verdict)
    if (verdict.verdict !== 'damaged') return
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    findings.push(...lines.map((line) => JSON.parse(line) as Json))
  }
  before(run)
  await runVerify(run, { backupId: id, level }, { keep }).catch((error: unknown) => {
    failure = error
  })
  return { kept, findings, failure, status: run.tracker.snapshot() }
}

t.test('a sound one', async (t) => {
  const { scene, id } = await backUp(t)
  const { kept, failure, status } = await verify(scene, id)
  t.equal(failure, null)
  t.match(kept, [{ backupId: id, target: 'local', level: 'full', verdict: 'full', manifest: /^[0-9a-f]{64}$/ }])
  t.match(status, { totalFiles: 3, processedFiles: 3, verify: { level: 'full', verdict: 'full' } })
  t.equal(status.processedBytes, status.totalBytes)
})

t.test('a file of another size: a look at names and sizes is enough', async (t) => {
  const { scene, id, backup } = await backUp(t)
  writeFileSync(`${backup}/data/${paths[1]}`, 'longer than it was when it was backed up')
  const message = `it has 40 bytes, ${paths[1]?.length} were expected`
  t.match((await verify(scene, id, 'quick')).findings, [{ flaw: 'damaged', path: `data/${paths[1]}`, message }])
})

t.test('an own marker beside the manifest is no finding', async (t) => {
  const { scene, id, backup } = await backUp(t)
  writeFileSync(`${backup}/.arc-backup.json`, '{}')
  t.match(await verify(scene, id, 'quick'), { failure: null })
})

t.test('a list of files that is missing, or can not be trusted: the counts of the manifest are left', async (t) => {
  const { scene, id, backup } = await backUp(t)
  const list = readFileSync(`${backup}/manifest-files.json`)
  rmSync(`${backup}/manifest-files.json`)
  t.match((await verify(scene, id, 'quick')).findings, [{ flaw: 'missing', path: 'manifest-files.json' }])
  writeFileSync(`${backup}/manifest-files.json`, list.subarray(0, list.length - 1))
  t.match((await verify(scene, id, 'quick')).findings, [{ flaw: 'damaged', path: 'manifest-files.json' }])
  rmSync(`${backup}/data/${paths[0]}`)
  const both = await verify(scene, id, 'quick')
  t.match(both.findings, [
    { path: 'manifest-files.json' },
    { flaw: 'missing', path: 'data/db/cpu', message: /1 files/ },
  ])
  t.match(both.status.warnings, [/nothing vouches for single files/])
})

t.test('a manifest that is damaged: the list of files still tells what is there', async (t) => {
  const { scene, id, backup } = await backUp(t)
  writeFileSync(`${backup}/manifest.json`, '{')
  rmSync(`${backup}/data/${paths[1]}`)
  const { findings, kept } = await verify(scene, id)
  t.match(findings, [
    { flaw: 'damaged', path: 'manifest.json', code: 'MANIFEST_INVALID' },
    { flaw: 'missing', path: `data/${paths[1]}` },
  ])
  t.match(kept, [{ manifest: '', verdict: 'damaged' }])
})

t.test('a list of files that is none, names a file twice, or has too few', async (t) => {
  const { scene, id, backup } = await backUp(t)
  sealAnew(backup, ({ files }) => void files.push({ ...files[0] }))
  t.match((await verify(scene, id)).findings, [{ flaw: 'damaged', path: 'manifest-files.json', message: /twice/ }])
  sealAnew(backup, ({ files }) => void files.splice(0, files.length, { path: '../x', size_bytes: 1, sha256: '' }))
  t.match((await verify(scene, id)).findings, [
    { path: 'manifest-files.json', code: 'PATH_UNSAFE' },
    { path: `data/${paths[0]}` },
    {},
  ])
})

t.test('counts are whole, samples are bounded, the list has all', async (t) => {
  const { scene, id, backup } = await backUp(t)
  mkdirSync(`${backup}/data/more`)
  for (let number = 0; number < 600; number += 1) writeFileSync(`${backup}/data/more/${number}`, '')
  const { findings, status, failure } = await verify(scene, id, 'quick')
  t.match(failure, { code: 'INTEGRITY', message: /600 files unexpected/ })
  t.equal(findings.length, 600)
  t.equal(new Set(findings.map(({ path }) => path)).size, 600)
  t.equal(status.verify?.flaws.unexpected.files, 600)
  t.equal(status.verify?.flaws.unexpected.sample.length, 32)
})

t.test('a file that goes between two looks is missing, not a failure', async (t) => {
  const { scene, id, backup } = await backUp(t)
  const { findings } = await verify(scene, id, 'full', (run) => {
    const { transfer } = run.pool
    Object.assign(run, {
      pool: {
        ...run.pool,
        transfer: (task: Parameters<typeof transfer>[0]) => {
          if (task.kind === 'prove') rmSync(`${backup}/data/${paths[2]}`, { force: true })
          return transfer(task)
        },
      },
    })
  })
  t.match(findings, [{ flaw: 'missing', path: `data/${paths[2]}` }])
})

t.test('no verdict: a backup that is deleted meanwhile, one that is not there, a stop', async (t) => {
  const { scene, id, backup } = await backUp(t)
  const stopped = await verify(scene, id, 'full', (run) => run.progress.stop('CANCELLED'))
  t.match(stopped, { failure: { code: 'CANCELLED' }, kept: [], status: { verify: { verdict: null } } })
  const deleted = await verify(scene, id, 'full', (run) => {
    const { transfer } = run.pool
    Object.assign(run, {
      pool: {
        ...run.pool,
        transfer: (task: Parameters<typeof transfer>[0]) => {
          if (task.kind === 'prove') rmSync(backup, { recursive: true, force: true })
          return transfer(task)
        },
      },
    })
  })
  t.match(deleted, { failure: { code: 'NOT_FOUND', message: /was deleted while it was verified/ }, kept: [] })
  t.match(await verify(scene, id), { failure: { code: 'NOT_FOUND' }, kept: [] })
})

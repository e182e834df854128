import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import type { Run } from '../../src/engine/run.js'
import { sweep } from '../../src/engine/sweep.js'
import { runVerify } from '../../src/engine/verify.js'
import { isServiceError, toFailure } from '../../src/errors.js'
import { LocalStore } from '../../src/stores/local.js'
import { randomFrom } from '../campaigns/random.js'
import { noVerdicts, wholeBackup } from '../engine/scene.js'
import { hashTree } from '../support/tree.js'
import { type Fault, type FaultPlan, type Method, type Planned, planFrom, planOf, systemErrors } from './plan.js'
import { type FaultScene, openFaultScene } from './scene.js'

// A backup while anything at all goes wrong: what is listed afterwards is whole or names what it lacks, and what failed leaves nothing.

const methods: readonly Method[] = [
  ...(['list', 'listLevel', 'stat', 'read', 'write', 'remove', 'readSmall', 'writeSmall'] as const),
  ...(['copy', 'sync', 'rename', 'inspectFolder', 'space'] as const),
]

function open(t: Test, maxSkipped = 1): FaultScene {
  const scene = openFaultScene(t, { settings: { maxSkipped } })
  for (let index = 0; index < 5; index += 1)
    scene.put([`db${index % 2}/m/2026/01/01/${index}.parquet`, `file ${index}`])
  return scene
}

const largeFile = 'db0/m/2026/01/02/large.parquet'

/** With a file that is moved as a stream. */
function openLarge(t: Test): FaultScene {
  const scene = open(t)
  scene.put([largeFile, randomBytes(9 << 20)])
  return scene
}

const backup = (run: Run): Promise<unknown> => runBackup(run, wholeBackup)

/** What does not hold of the backup that this run made, or did not make. */
async function judge(scene: FaultScene, run: Run, error: unknown): Promise<string[]> {
  const { storage, target } = scene
  const wrong: string[] = []
  const own = `${target}/${run.backupId}`
  const listed = existsSync(`${own}/manifest.json`)
  if (error !== null && !isServiceError(error)) wrong.push(`what was thrown has no code: ${String(error)}`)
  if (error !== null && listed) wrong.push('it failed and is listed')
  if (error === null && !listed) wrong.push('it ended well and is not listed')
  if (!listed) return wrong
  const manifest = JSON.parse(readFileSync(`${own}/manifest.json`, 'utf8'))
  const skipped: string[] = manifest.skipped_sample
  const [source, copy] = [hashTree(storage), hashTree(`${own}/data`)]
  for (const path of Object.keys(source)) {
    if (copy[path] !== source[path] && !skipped.includes(path)) wrong.push(`it lacks ${path} and does not say so`)
  }
  for (const path of Object.keys(copy))
    if (!(path in source) && !path.endsWith('/')) wrong.push(`it has ${path}, the source has not`)
  return wrong
}

/** Backups with one fault each, at the first call of a method, at the second, and so on until there are no more calls. */
async function atEachCall(t: Test, place: 'storage' | 'target:local', make: (call: number, method: Method) => Planned) {
  const scene = open(t)
  const before = hashTree(scene.storage)
  const wrong: string[] = []
  let faults = 0
  for (const method of methods) {
    for (let call = 1; ; call += 1) {
      const plan = planOf([make(call, method)])
      scene.plan(place, plan)
      const run = scene.open()
      const error = await scene.attempt(run, backup)
      scene.heal()
      if (plan.injected.length === 0) break
      faults += 1
      const what = `${method} ${call}: `
      wrong.push(...(await judge(scene, run, error)).map((sentence) => what + sentence))
      await sweepAll(scene)
      if (error !== null && existsSync(`${scene.target}/${run.backupId}`)) wrong.push(`${what}something is left`)
      scene.clear()
    }
  }
  t.same(wrong, [])
  t.same(hashTree(scene.storage), before, 'the source is as it was')
  t.equal(await scene.attempt(scene.open(), backup), null, 'it works again')
  return faults
}

async function sweepAll({ open, settings, target }: FaultScene): Promise<void> {
  const run = open()
  const { storage, pool, journal, log } = run
  await sweep(
    { settings, storage, pool, journal, log, verdicts: noVerdicts },
    [{ name: 'local', store: new LocalStore(target), locked: true }],
    false,
  )
  run.inventory.close()
}

for (const place of ['storage', 'target:local'] as const) {
  for (const error of systemErrors) {
    t.test(`${error} at each call of each method of the ${place}`, async (t) => {
      const faults = await atEachCall(t, place, (call, method) => ({ method, call, fault: { kind: 'error', error } }))
      t.ok(faults > 8, `${faults} faults`)
    })
  }
  t.test(`${place}: from one call on nothing works any more`, async (t) => {
    const fault: Fault = { kind: 'error', error: 'EIO' }
    t.ok((await atEachCall(t, place, (call, method) => ({ method, call, lasting: true, fault }))) > 8)
  })
}

t.test('answers of the target that are lost', async (t) => {
  const fault: Fault = { kind: 'error', error: 'STORE_UNREACHABLE', answerLost: true }
  t.ok((await atEachCall(t, 'target:local', (call, method) => ({ method, call, fault }))) > 8)
})

t.test('at a byte of the large file: unreadable, a full disk, an early end', async (t) => {
  const scene = openLarge(t)
  const large = /large/
  const cases: [FaultPlan, 'storage' | 'target:local', string | null][] = []
  for (const at of [0, 1, 5 << 20, (9 << 20) - 1]) {
    cases.push(
      [planOf([{ method: 'read', path: large, at, fault: { kind: 'error', error: 'EIO' } }]), 'storage', null],
      [planOf([{ method: 'read', path: large, at, fault: { kind: 'short' } }]), 'storage', 'SOURCE_CHANGED'],
      [
        planOf([{ method: 'write', path: large, at, fault: { kind: 'error', error: 'ENOSPC' } }]),
        'target:local',
        'STORE_FULL',
      ],
    )
  }
  for (const [plan, place, code] of cases) {
    scene.plan(place, plan)
    const run = scene.open()
    const error = await scene.attempt(run, backup)
    t.ok(plan.injected.length > 0)
    t.equal(error === null ? null : toFailure(error).code, code, code ?? 'a gap')
    t.same(await judge(scene, run, error), [])
    if (code === null)
      t.same(
        run.tracker.skippedSample.map(({ path }) => path),
        [largeFile],
      )
    scene.heal()
    scene.clear()
  }
})

t.test('a bit that the target flips is named by verify, whatever the file', async (t) => {
  const scene = openLarge(t)
  for (const [method, path] of [
    ['write', /large/],
    ['writeSmall', /0\.parquet/],
    ['writeSmall', /manifest-files\.json/],
    ['write', /manifest\.json/],
  ] as const) {
    const plan = planOf([{ method, path, at: 4, fault: { kind: 'flip' } }])
    scene.plan('target:local', plan)
    const run = scene.open()
    t.equal(await scene.attempt(run, backup), null)
    scene.heal()
    t.equal(plan.injected.length, 1, String(path))
    const verify = scene.open('verify', run.backupId)
    const request = { backupId: run.backupId, level: 'full' } as const
    const found = await scene.attempt(verify, (run) => runVerify(run, request, { keep: () => {} }))
    t.match(found, { code: 'INTEGRITY' }, String(path))
    t.ok(
      verify.tracker.verify?.flaws.damaged.sample.some((flaw) => path.test(flaw.path)),
      String(path),
    )
    scene.clear()
  }
})

t.test('late answers change nothing', async (t) => {
  const scene = open(t)
  const slow = methods.map((method): Planned => ({ method, fault: { kind: 'delay', ms: 3 } }))
  scene.plan('target:local', planOf(slow))
  scene.plan('storage', planOf(slow))
  const run = scene.open()
  t.equal(await scene.attempt(run, backup), null)
  t.same(await judge(scene, run, null), [])
  t.equal(run.tracker.skippedFiles, 0)
})

t.test('a target that stands still: asked to stop, the backup ends once it answers, and leaves nothing', async (t) => {
  const scene = openLarge(t)
  const plan = planOf([{ method: 'write', path: /large/, at: 1 << 20, fault: { kind: 'stall' } }])
  scene.plan('target:local', plan)
  const run = scene.open()
  const ended = scene.attempt(run, backup)
  while (plan.injected.length === 0) await new Promise(setImmediate)
  run.progress.stop('CANCELLED')
  plan.release()
  t.match(await ended, { code: 'CANCELLED' })
  t.notOk(existsSync(`${scene.target}/${run.backupId}`))
})

t.test('a store that fails now and then, but is to be tried again: each backup completes', async (t) => {
  const scene = openFaultScene(t, { patience: { retryTimeoutMs: 20_000, stallTimeoutMs: 1000 } })
  for (let index = 0; index < 30; index += 1) scene.put([`db/m/2026/01/01/${index}.parquet`, `file ${index}`])
  const fault: Fault = { kind: 'error', error: 'STORE_UNREACHABLE' }
  for (const seed of [1, 2, 3]) {
    const among = (['write', 'writeSmall', 'copy'] as const).map((method): Planned => ({ method, fault }))
    const plan = planFrom(randomFrom(seed), 0.2, among)
    scene.plan('target:local', plan)
    const run = scene.open()
    t.equal(await scene.attempt(run, backup), null, `seed ${seed}`)
    t.ok(plan.injected.length > 0)
    t.same(await judge(scene, run, null), [])
    t.equal(run.tracker.skippedFiles, 0)
    scene.clear()
  }
})

t.test('anything, anywhere, at once, by a seed', async (t) => {
  const scene = open(t)
  const errors = systemErrors.map((error): Fault => ({ kind: 'error', error }))
  const lost: Fault = { kind: 'error', error: 'STORE_UNREACHABLE', answerLost: true }
  const among = methods.flatMap((method) => [...errors, lost].map((fault): Planned => ({ method, fault })))
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 120; seed += 1) {
    const random = randomFrom(seed)
    const probability = [0.01, 0.05, 0.2][seed % 3] ?? 0
    scene.plan('storage', planFrom(random, probability, among))
    scene.plan('target:local', planFrom(random, probability, among))
    const run = scene.open()
    const error = await scene.attempt(run, backup)
    scene.heal()
    outcomes.add(error === null ? 'completed' : 'failed')
    t.same(await judge(scene, run, error), [], `seed ${seed}`)
    await sweepAll(scene)
    if (error !== null) t.notOk(existsSync(`${scene.target}/${run.backupId}`), `seed ${seed} leaves nothing`)
    scene.clear()
  }
  t.same([...outcomes].sort(), ['completed', 'failed'])
})

import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs'
import t, { type Test } from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { openRun } from '../../src/engine/execution.js'
import type { Pool } from '../../src/engine/pool.js'
import type { Run } from '../../src/engine/run.js'
import { type Manifest, readManifest } from '../../src/format/manifest.js'
import { parseSidecar } from '../../src/format/sidecar.js'
import { asNobody } from '../support/nobody.js'
import { hashTree } from '../support/tree.js'
import { noVerdicts, openScene, type Scene, wholeBackup } from './scene.js'

const day = 'db/m/2026/01/02'
const hour = (name: string): string => `${day}/03/m_20260102_${name}.parquet`

type Moment = 'list' | 'copy' | 'settle' | 'settle partitions'

/**
 * The source changes at set moments, each time before the threads' next task of that kind: `settle` is the first listing after the copy, `settle partitions`
 * any listing of a day partition by itself.
 */
function during(run: Run, happens: Partial<Record<Moment, (time: number) => void>>): Run {
  const times: Partial<Record<Moment, number>> = {}
  const at = (moment: Moment): void => {
    times[moment] = (times[moment] ?? 0) + 1
    happens[moment]?.(times[moment])
  }
  const pool: Pool = {
    ...run.pool,
    list: async (task) => {
      const [first = ''] = task.folders
      if (first === '') at(times.copy ? 'settle' : 'list')
      if (/\/\d{4}\/\d\d\/\d\d$/.test(first)) {
        if (run.tracker.snapshot().phase === 'settling' && run.tracker.settled) at('settle partitions')
      }
      return run.pool.list(task)
    },
    transfer: async (task) => {
      if (task.kind === 'copy' && task.live) at('copy')
      return run.pool.transfer(task)
    },
  }
  return { ...run, pool }
}

/** Takes files of the source away and puts one there for all of them, as Arc's compaction does; the state file stays where it is asked to. */
function compact(
  { storage, put }: Scene,
  output: string,
  inputs: readonly string[],
  leave: { state?: true; inputs?: true } = {},
) {
  const content = `merged ${inputs.join()}`
  const job = { output_path: output, output_size: content.length, input_files: inputs, status: 'pending' }
  put([state, JSON.stringify(job)], [output, content])
  if (!leave.inputs) for (const path of inputs) rmSync(`${storage}/${path}`)
  if (!leave.state) rmSync(`${storage}/${state}`)
}
const state = '_compaction_state/hourly/db/job1.json'

/** The backup that a run made: its files, its manifest, and the paths of its sidecar; these must agree in every test. */
async function backedUp(
  t: Test,
  { target }: Scene,
  run: Run,
): Promise<{ files: Record<string, string>; manifest: Manifest }> {
  const folder = `${target}/${run.backupId}`
  const files = hashTree(`${folder}/data`)
  const manifest = readManifest(readFileSync(`${folder}/manifest.json`))
  const entries = []
  for await (const batch of parseSidecar(asChunks(readFileSync(`${folder}/manifest-files.json`))))
    entries.push(...batch)
  const hashes = entries.map(({ list, path, sha256 }) => [list === 'files' ? path : path.slice('data/'.length), sha256])
  t.same(Object.fromEntries(hashes), files, 'the sidecar names what is there')
  t.equal(entries.length, Object.keys(files).length, 'and each file once')
  t.equal(manifest.sidecar?.entries, entries.length)
  const parquet = entries.filter(({ list }) => list === 'files')
  t.equal(manifest.total_files, parquet.length)
  t.equal(
    manifest.total_size_bytes,
    parquet.reduce((sum, { size_bytes }) => sum + size_bytes, 0),
  )
  const status = run.tracker.snapshot()
  t.equal(status.totalFiles, entries.length)
  t.equal(status.processedFiles, entries.length)
  t.equal(status.processedBytes, status.totalBytes)
  t.equal(manifest.settled_passes, status.settled?.passes)
  t.equal(manifest.replaced_files ?? 0, status.settled?.replacedFiles)
  return { files, manifest }
}

/** An empty folder is nothing to a backup. */
function liveFiles({ storage }: Scene): Record<string, string> {
  return Object.fromEntries(Object.entries(hashTree(storage)).filter(([path]) => !path.endsWith('/')))
}

async function* asChunks(content: Buffer): AsyncGenerator<Buffer> {
  yield content
}

t.test('a source that stands still takes one pass', async (t) => {
  const scene = openScene(t)
  scene.put(hour('a'), hour('b'), 'db/m/odd.parquet')
  const run = scene.open()
  t.equal(await runBackup(run, wholeBackup), 'completed')
  t.same((await backedUp(t, scene, run)).files, liveFiles(scene))
  t.match(run.tracker.settled, { passes: 1, replacedFiles: 0, consumedInputs: 0 })
})

t.test('merged while it is copied, before or after: the backup has the merged file alone', async (t) => {
  for (const moment of ['copy', 'settle', 'settle partitions'] as const) {
    const scene = openScene(t, { maxSkipped: 0 })
    const inputs = Array.from({ length: 600 }, (_, index) => hour(`in${index}`))
    const output = hour('b0_compacted')
    const elsewhere = 'db/m/2026/01/03/00/m.parquet'
    scene.put(...inputs, hour('stays'), elsewhere)
    const run = during(scene.open(), {
      [moment]: (time: number) => {
        if (time === 1) compact(scene, output, inputs)
      },
      // Something else makes it look at the partition.
      ...(moment === 'settle partitions' && { settle: () => scene.put([hour('late'), 'x']) }),
    })
    t.equal(await runBackup(run, wholeBackup), 'completed', moment)
    const { files, manifest } = await backedUp(t, scene, run)
    t.same(files, liveFiles(scene))
    t.match(manifest, { settled_passes: 2, skipped_files: 0, replaced_files: moment === 'copy' ? undefined : 600 })
  }
})

t.test('a listing that saw neither the inputs nor the merged file', async (t) => {
  const scene = openScene(t)
  scene.put(hour('a'), 'db/other/2026/01/02/03/x.parquet')
  // As if the folder had been read just in between: gone from the first listing, and merged before the next.
  const daily = `${day}/m_20260102_daily.parquet`
  rmSync(`${scene.storage}/${hour('a')}`)
  const run = during(scene.open(), { settle: () => scene.put([daily, 'merged']) })
  t.equal(await runBackup(run, wholeBackup), 'completed')
  t.ok((await backedUp(t, scene, run)).files[daily])
  t.match(run.tracker.settled, { passes: 2, replacedFiles: 0 })
})

t.test('what is newer than the backup does not keep it from ending, nor gets into it', async (t) => {
  const scene = openScene(t)
  scene.put(hour('a'), hour('b'))
  let number = 0
  const flush = (): void => {
    number += 1
    scene.put(hour(`new${number}`), `db/m/2026/01/03/00/${number}.parquet`)
  }
  const before = liveFiles(scene)
  const run = during(scene.open(), { copy: flush, settle: flush, 'settle partitions': flush })
  t.equal(await runBackup(run, wholeBackup), 'completed')
  t.same((await backedUp(t, scene, run)).files, before)
  t.match(run.tracker.settled, { passes: 1 })
})

t.test('a file older than the youngest of its partition, which the first listing missed, gets in', async (t) => {
  const scene = openScene(t)
  scene.put(hour('early'), hour('b'))
  const [early, young] = [`${scene.storage}/${hour('missed')}`, `${scene.storage}/${hour('b')}`]
  utimesSync(young, 2000, 2000)
  const run = during(scene.open(), {
    settle: () => {
      scene.put(hour('missed'), hour('later'))
      utimesSync(early, 1999, 1999)
    },
  })
  t.equal(await runBackup(run, wholeBackup), 'completed')
  const { files } = await backedUp(t, scene, run)
  t.same(Object.keys(files).sort(), [hour('b'), hour('early'), hour('missed')].sort())
  t.match(run.tracker.settled, { passes: 2, replacedFiles: 0 })
})

t.test('a file rewritten under its own name is copied again, also by size alone or by time alone', async (t) => {
  for (const how of ['size', 'time'] as const) {
    const scene = openScene(t)
    scene.put([hour('a'), 'aaaa'], hour('b'))
    utimesSync(`${scene.storage}/${hour('a')}`, 1000, 1000)
    const run = during(scene.open(), {
      settle: (time) => {
        if (time > 1) return
        scene.put([hour('a'), how === 'size' ? 'aa' : 'bbbb'])
        if (how === 'size') utimesSync(`${scene.storage}/${hour('a')}`, 1000, 1000)
      },
    })
    t.equal(await runBackup(run, wholeBackup), 'completed')
    t.same((await backedUp(t, scene, run)).files, liveFiles(scene))
    t.match(run.tracker.settled, { passes: 2, replacedFiles: 1 })
  }
})

t.test(
  'deleted with nothing in its place: what came since gets in, and a measurement without files is none',
  async (t) => {
    const scene = openScene(t)
    scene.put('db/gone/2026/01/02/03/x.parquet', hour('a'), hour('b'))
    const run = during(scene.open(), {
      copy: (time) => {
        if (time === 1) rmSync(`${scene.storage}/${hour('a')}`)
      },
      settle: (time) => {
        if (time > 1) return
        rmSync(`${scene.storage}/db/gone`, { recursive: true })
        scene.put(hour('c'))
      },
    })
    t.equal(await runBackup(run, wholeBackup), 'completed')
    const { files, manifest } = await backedUp(t, scene, run)
    t.same(files, liveFiles(scene))
    t.same(manifest.databases, [
      {
        name: 'db',
        measurements: [{ name: 'm', file_count: 2, size_bytes: 2 * hour('b').length }],
        file_count: 2,
        size_bytes: 2 * hour('b').length,
      },
    ])
  },
)

t.test('only what still moves is listed again, and each of these until it stands still', async (t) => {
  const scene = openScene(t)
  const [one, two] = ['db/m/2026/02/01/00', 'db/m/2026/02/02/00']
  scene.put(`${one}/a.parquet`, `${two}/a.parquet`, hour('a'))
  const listed: string[][] = []
  let copies = 0
  const run = during(scene.open(), {
    copy: () => {
      copies += 1
      // The second is that of what vanished.
      const moves = copies === 1 ? [one, two] : copies === 3 ? [two] : []
      for (const folder of moves) {
        rmSync(`${scene.storage}/${folder}`, { recursive: true })
        scene.put(`${folder}/${copies}_compacted.parquet`)
      }
    },
  })
  const pool: Pool = {
    ...run.pool,
    list: async (task) => {
      if (run.tracker.settled && /2026\/02\/0\d$/.test(task.folders[0] ?? '')) listed.push([...task.folders].sort())
      return run.pool.list(task)
    },
  }
  t.equal(await runBackup({ ...run, pool }, wholeBackup), 'completed')
  t.same((await backedUp(t, scene, run)).files, liveFiles(scene))
  const [first, second] = ['db/m/2026/02/01', 'db/m/2026/02/02']
  t.same(listed, [[first, second], [first, second], [second]])
  t.match(run.tracker.settled, { passes: 3, replacedFiles: 0 })
})

t.test('a partition that never stands still fails the backup and is named', async (t) => {
  const scene = openScene(t, { settlePasses: 3 })
  scene.put(hour('a'), 'db/m/2026/01/03/00/still.parquet')
  let turn = 0
  const run = during(scene.open(), {
    copy: () => {
      rmSync(`${scene.storage}/${day}`, { recursive: true })
      turn += 1
      scene.put(hour(`${turn}`))
    },
  })
  await t.rejects(runBackup(run, wholeBackup), {
    code: 'SOURCE_CHANGED',
    message: /^cannot back up db\/m\/2026\/01\/02 at .*storage: .* 3 times \(backup\.settle_passes\)$/,
  })
  t.equal(run.tracker.settled?.passes, 3)
  t.same(readdirSync(scene.target), [])
})

t.test('inputs whose merged file is in the backup are left out, whatever is left of them', async (t) => {
  const inputs = [hour('a'), hour('b')]
  const output = hour('b0_compacted')
  // Left in the middle by an Arc that died.
  const scene = openScene(t)
  scene.put(...inputs, hour('c'))
  compact(scene, output, inputs, { inputs: true, state: true })
  rmSync(`${scene.storage}/${hour('a')}`)
  const run = scene.open()
  t.equal(await runBackup(run, wholeBackup), 'completed')
  const { files, manifest } = await backedUp(t, scene, run)
  t.same(Object.keys(files).sort(), [state, hour('c'), output].sort())
  t.match(manifest, { consumed_inputs_skipped: 1, compaction_state_files: 1, settled_passes: 1 })

  // The state file came, and went, between two listings of the data.
  const fast = openScene(t, {}, `${scene.folder}/fast`)
  fast.put(...inputs)
  const passing = during(fast.open(), {
    copy: (time) => {
      if (time === 1) compact(fast, output, inputs, { inputs: true, state: true })
    },
    settle: (time) => {
      if (time === 1) rmSync(`${fast.storage}/${state}`)
    },
  })
  t.equal(await runBackup(passing, wholeBackup), 'completed')
  const kept = await backedUp(t, fast, passing)
  t.same(Object.keys(kept.files).sort(), [state, output].sort())
  t.match(kept.manifest, { consumed_inputs_skipped: 2, compaction_state_files: 1 })
})

t.test(
  'inputs stay where the merged file is not whole, not there, or said to be in a file that says nothing',
  async (t) => {
    const inputs = [hour('a'), hour('b')]
    for (const [name, content] of [
      ['another size', JSON.stringify({ output_path: hour('c'), output_size: 1, input_files: inputs })],
      ['no output', JSON.stringify({ output_path: hour('none'), output_size: 4, input_files: inputs })],
      ['no JSON', '{'],
      [
        'too large',
        `${JSON.stringify({ output_path: hour('c'), output_size: 4, input_files: inputs })}${' '.repeat(1 << 20)}`,
      ],
    ] as const) {
      const scene = openScene(t)
      scene.put(...inputs, [hour('c'), 'four'], [state, content])
      const run = scene.open()
      t.equal(await runBackup(run, wholeBackup), 'completed', name)
      t.same((await backedUp(t, scene, run)).files, liveFiles(scene))
    }
  },
)

t.test('a job that begins while the backup settles is known before what it merged is counted', async (t) => {
  const scene = openScene(t)
  const inputs = [hour('a'), hour('b')]
  scene.put(...inputs)
  const run = during(scene.open(), {
    settle: () => scene.put(hour('c')),
    'settle partitions': (time) => {
      if (time === 1) compact(scene, hour('b0_compacted'), inputs, { inputs: true, state: true })
    },
  })
  t.equal(await runBackup(run, wholeBackup), 'completed')
  const { files, manifest } = await backedUp(t, scene, run)
  t.same(Object.keys(files).sort(), [state, hour('b0_compacted'), hour('c')].sort())
  t.match(manifest, { settled_passes: 2, consumed_inputs_skipped: 2 })
})

t.test('a gap stays a gap; one that is gone, or can be read once its partition moved, is none', async (t) => {
  const scene = openScene(t, { maxSkipped: 1 })
  const [gap, gone, healed] = [hour('gap'), 'db/m/2026/01/03/00/gone.parquet', 'db/m/2026/01/04/00/healed.parquet']
  const beside = 'db/m/2026/01/04/00/beside.parquet'
  scene.put(gap, gone, healed, beside)
  for (const path of readdirSync(scene.folder, { recursive: true })) chownSync(`${scene.folder}/${path}`, 65534, 65534)
  chownSync(scene.folder, 65534, 65534)
  for (const path of [gap, gone, healed]) chmodSync(`${scene.storage}/${path}`, 0)
  await asNobody(async () => {
    const run = during(scene.open(), {
      settle: (time) => {
        if (time > 1) return
        rmSync(`${scene.storage}/${gone}`)
        rmSync(`${scene.storage}/${beside}`)
        chmodSync(`${scene.storage}/${healed}`, 0o600)
      },
    })
    t.equal(await runBackup(run, wholeBackup), 'gaps')
    t.match(run.tracker.snapshot(), {
      skippedFiles: 1,
      skippedSample: [{ path: gap, code: 'STORE_DENIED' }],
      settled: { passes: 2 },
    })
    t.same(Object.keys(hashTree(`${scene.target}/${run.backupId}/data`)), [healed])
  })
})

t.test('a source that goes while it is settled is not one that deleted everything', async (t) => {
  for (const moment of ['settle', 'settle partitions'] as const) {
    const scene = openScene(t)
    scene.put(hour('a'))
    const run = during(scene.open(), {
      [moment]: (time: number) => {
        if (time > 1) return
        renameSync(scene.storage, `${scene.storage}.away`)
        mkdirSync(scene.storage)
      },
      ...(moment === 'settle partitions' && { settle: () => scene.put(hour('b')) }),
    })
    await t.rejects(runBackup(run, wholeBackup), { code: 'STORE_NOT_FOUND', message: /empty now/ }, moment)
    t.same(readdirSync(scene.target), [])
  }
})

t.test('a backup of one database looks at no other', async (t) => {
  const scene = openScene(t)
  const other = 'zz/m/2026/01/02/03/x.parquet'
  scene.put(hour('a'), other)
  const run = during(scene.open(), {
    copy: (time) => {
      if (time > 1) return
      compact(scene, hour('b0_compacted'), [hour('a')], { state: true })
      rmSync(`${scene.storage}/${other}`)
      scene.put('_compaction_state/hourly/zz/job.json')
    },
  })
  t.equal(await runBackup(run, { ...wholeBackup, databases: ['db'] }), 'completed')
  t.same(Object.keys((await backedUp(t, scene, run)).files).sort(), [state, hour('b0_compacted')].sort())
})

t.test('interrupted between what went and what comes in its place: who comes back settles it', async (t) => {
  const scene = openScene(t)
  const inputs = Array.from({ length: 300 }, (_, index) => hour(`in${index}`))
  scene.put(...inputs, hour('stays'))
  const first = scene.open()
  const broken = during(first, {
    settle: (time) => {
      if (time === 1) compact(scene, hour('b0_compacted'), inputs)
    },
    copy: () => {
      if (first.tracker.settled) first.progress.stop('INTERRUPTED')
    },
  })
  await t.rejects(runBackup(broken, wholeBackup), { code: 'INTERRUPTED' })
  first.inventory.close()
  t.same(Object.keys(hashTree(`${scene.target}/${first.backupId}/data`)), [hour('stays')], 'the inputs had gone')
  const { settings, storage, pool, journal, log } = first
  const target = { name: 'local', store: first.target, locked: true }
  const caller = { name: 'test', credential: null }
  const left = {
    request: { ...wholeBackup },
    caller: 'test',
    switching: false,
    spentMs: 0,
    boot: '',
    stalls: 0,
    sameBoot: true,
    resumable: true,
  }
  const again = await openRun(
    { settings, storage, pool, journal, log, verdicts: noVerdicts },
    { ...first, kind: 'backup', target, request: wholeBackup, caller, action: async () => 'completed' },
    { ...left, status: first.tracker.snapshot() },
  )
  t.equal(await runBackup(again, wholeBackup), 'completed')
  again.inventory.close()
  t.same((await backedUp(t, scene, again)).files, liveFiles(scene))
  t.match(again.tracker.settled, { passes: 1 })
})

t.test('a stop while it settles leaves nothing', async (t) => {
  const scene = openScene(t)
  scene.put(hour('a'))
  const run = during(scene.open(), { settle: () => run.progress.stop('CANCELLED') })
  await t.rejects(runBackup(run, wholeBackup), { code: 'CANCELLED' })
  t.same(readdirSync(scene.target), [])
})

import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import t, { type Test } from 'tap'
import { pack, unpack } from '../../src/engine/batch.js'
import { Progress } from '../../src/engine/progress.js'
import type { TransferOutcome, TransferTask } from '../../src/engine/transfer.js'
import type { ListOutcome, ListTask } from '../../src/engine/walk.js'
import runTask, { type TransferThreadData, taskRunner } from '../../workers/transfer.js'
import { hashTree } from '../support/tree.js'

const filename = fileURLToPath(import.meta.resolve('../../workers/transfer.js'))
const content = { db: { m: { 'a.parquet': 'a', 'é b.parquet': 'b' }, 'x.parquet.tmp': '' } }

type Run = (task: TransferTask | ListTask) => Promise<TransferOutcome | ListOutcome>

function openPool(t: Test, data: TransferThreadData): Run {
  const pool = new Piscina({ filename, minThreads: 2, maxThreads: 2, workerData: data })
  t.teardown(() => pool.destroy())
  return (task) => pool.run(task)
}

for (const place of ['here', 'thread'] as const) {
  t.test(`${place}: lists, copies and says what failed, as plain values`, async (t) => {
    const folder = t.testdir({ from: content })
    const data: TransferThreadData = {
      stores: { from: { kind: 'local', root: `${folder}/from` }, to: { kind: 'local', root: `${folder}/to` } },
    }
    const run = place === 'here' ? taskRunner(data) : openPool(t, data)
    const level = async (folders: string[]) => {
      const outcome = await run({ kind: 'list', store: 'from', folders, excluded: [], namesOnly: false })
      if (!('level' in outcome)) throw new Error('expected a level')
      return outcome.level
    }
    t.same(await level(['']), { batches: [], folders: ['db'], prints: [] })
    t.same(await level(['db']), { batches: [], folders: ['db/m'], prints: [] })
    const { batches } = await level(['db/m'])
    t.match(batches.flatMap(unpack), [
      { path: 'db/m/a.parquet', size: 1 },
      { path: 'db/m/é b.parquet', size: 1 },
    ])
    const progress = new Progress()
    const ways = { from: 'from', to: 'to', fromPrefix: '', toPrefix: '', progress: progress.buffer }
    for (const batch of [...batches, pack([{ path: 'db/gone', size: 1, mtimeNs: 0n }])]) {
      const outcome = await run({ ...ways, kind: 'copy', batch })
      const failures = batch === batches[0] ? [] : [{ index: 0, failure: { code: 'STORE_NOT_FOUND' } }]
      t.match(outcome, { failures, fatal: null })
    }
    t.same([progress.read('files'), progress.read('bytes')], [2, 2], 'counted in shared memory')
    t.same(
      hashTree(`${folder}/to`),
      hashTree(`${folder}/from`, (path) => path.endsWith('.tmp')),
    )
    const bad = { kind: 'list', folders: ['../'], excluded: [], namesOnly: false } as const
    t.match(await run({ ...bad, store: 'from' }), { failure: { code: 'PATH_INVALID' } })
    for (const store of ['nowhere', 'from/../to']) {
      t.match(await run({ ...bad, store }), {
        failure: { code: 'INTERNAL', message: `no store is configured under the name ${store}` },
      })
      t.match(await run({ kind: 'remove', store, paths: '' }), { fatal: { code: 'INTERNAL' } })
    }
  })
}

t.test('outside of a thread no store is configured', async (t) => {
  t.match(await runTask({ kind: 'remove', store: 'target', paths: 'a' }), { fatal: { code: 'INTERNAL' } })
})

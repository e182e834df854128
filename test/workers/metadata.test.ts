import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import t from 'tap'
import type { MetadataOutcome, MetadataTask } from '../../src/metadata/task.js'
import runInThread from '../../workers/metadata.js'
import { makeDatabase, rowsOf } from '../support/neighbour.js'

const filename = fileURLToPath(import.meta.resolve('../../workers/metadata.js'))

t.test('in a thread and outside of one: done, or a failure as a plain value', async (t) => {
  const pool = new Piscina({ filename, maxThreads: 1 })
  t.teardown(() => pool.destroy())
  const places: Record<string, (task: MetadataTask) => Promise<MetadataOutcome>> = {
    thread: (task) => pool.run(task),
    here: runInThread,
  }
  for (const [place, run] of Object.entries(places)) {
    const dir = t.testdir({ text: 'not a database' })
    const path = makeDatabase(`${dir}/live`, ['old'])
    const to = `${dir}/snap`
    const beyond = { encrypted: false, coldFiles: 0 }
    t.same(await run({ kind: 'snapshot', path, to }), { ok: true, beyond }, place)
    t.same(await run({ kind: 'check', path: to }), { ok: true })
    t.match(await run({ kind: 'check', path: `${dir}/text` }), { ok: false, failure: { code: 'SQLITE_INVALID' } })
    t.same(await run({ kind: 'restore', from: makeDatabase(`${dir}/from`, ['new']), to: path }), { ok: true })
    t.same(rowsOf(path), ['new'])
    t.same(rowsOf(to), ['old'])
  }
})

import t from 'tap'
import { isCompactionOutput, isCompactionState, readCompactionState } from '../../src/format/compaction-state.js'

const folder = 'db/m/2026/01/02'

t.test('what a state file of Arc says', async (t) => {
  const text = JSON.stringify({
    output_path: `${folder}/03/m_1_b0_compacted.parquet`,
    output_size: 4096,
    input_files: [`${folder}/03/a.parquet`, `${folder}/03/b.parquet`, `${folder}/03/m_1_b0_compacted.parquet`, 7],
    database: 'db',
    measurement: 'm',
    partition_path: `${folder}/03`,
    tier: 'hourly',
    status: 'pending',
    created_at: '2026-01-02T04:00:00Z',
    job_id: 'job',
  })
  t.same(readCompactionState(text), {
    output: `${folder}/03/m_1_b0_compacted.parquet`,
    outputSize: 4096,
    inputs: [`${folder}/03/a.parquet`, `${folder}/03/b.parquet`],
  })
})

t.test('what is none says nothing', async (t) => {
  const job = { output_path: 'o', output_size: 1, input_files: ['a'] }
  for (const text of ['', '{', 'null', '[]', '7', '{}']) t.equal(readCompactionState(text), null, text)
  for (const [key, value] of Object.entries({ output_path: 7, output_size: '1', input_files: null })) {
    t.equal(readCompactionState(JSON.stringify({ ...job, [key]: value })), null, key)
  }
  t.same(readCompactionState(JSON.stringify(job)), { output: 'o', outputSize: 1, inputs: ['a'] })
})

t.test('names of state files and of merged files', async (t) => {
  t.ok(isCompactionState('_compaction_state/daily/db/job.json'))
  t.notOk(isCompactionState('_compaction_state/daily/db/job.json.quarantined'))
  t.notOk(isCompactionState('db/_compaction_state/job.json'))
  t.ok(isCompactionOutput(`${folder}/03/m_20260102_030000_1795429445583188582_b0_compacted.parquet`))
  t.ok(isCompactionOutput(`${folder}/m_20260102_030000_daily.parquet`))
  t.notOk(isCompactionOutput(`${folder}/03/m_20260102_030000_123456789.parquet`))
})

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { arcBackupId } from '../support/fixture.js'
import { type Json, startTestService, type TestService } from '../support/service.js'

interface Scene extends TestService {
  readonly id: string
  /** Its folder. */
  readonly backup: string
  /** Verifies a backup (that of the scene unless it is named), and answers the operation as it ended. */
  verify(body?: Json, id?: string): Promise<Json>
}

async function scene(t: Test): Promise<Scene> {
  const service = await startTestService(t)
  const { call } = service
  const { backup_id: id } = await service.run('')
  const verify: Scene['verify'] = async (body, which = String(id)) => {
    const started = await call('POST', `/${which}/verify`, body)
    if (started.status !== 202) throw new Error(`verify answered ${started.status}: ${started.text}`)
    for (;;) {
      const { json } = await call('GET', `/operations/${started.json.operation_id}`)
      if (json.status !== 'running') return json
      await sleep(10)
    }
  }
  return { ...service, id: String(id), backup: `${service.folder}/data/backups/${id}`, verify }
}

const sound = { damaged_files: 0, missing_files: 0, unexpected_files: 0 }

t.test('a sound backup', async (t) => {
  const { call, verify, id } = await scene(t)
  t.match(await verify({ level: 'quick' }), {
    operation: 'verify',
    outcome: 'completed',
    level: 'quick',
    verified: 'quick',
    total_files: 38,
    processed_files: 38,
    ...sound,
  })
  const { backups } = (await call('GET', '')).json as { backups: Json[] }
  t.match(backups, [{ backup_id: id, verified: 'quick', verified_at: /^\d{4}-.*Z$/ }, { backup_id: arcBackupId }])
  t.notOk('verified' in (backups[1] ?? {}), 'nobody has verified the other one')
  t.match((await call('GET', '/status')).json, { operation: 'backup' }, "Arc's clients know of no verify")
})

t.test('what is not there, what is too much, and what has another size', async (t) => {
  const { call, verify, id, backup, folder } = await scene(t)
  const [first, second] = JSON.parse(readFileSync(`${backup}/manifest-files.json`, 'utf8')).files as Json[]
  rmSync(`${backup}/data/${first?.path}`)
  appendFileSync(`${backup}/data/${second?.path}`, 'x')
  mkdirSync(`${backup}/data/a/b`, { recursive: true })
  writeFileSync(`${backup}/data/a/b/slipped in.parquet`, 'x')
  writeFileSync(`${backup}/.hidden`, 'x')
  const ended = await verify({ level: 'quick' })
  t.match(ended, {
    outcome: 'failed',
    error_code: 'INTEGRITY',
    verified: 'damaged',
    damaged_files: 1,
    damaged_sample: [{ path: `data/${second?.path}`, message: /bytes/ }],
    missing_files: 1,
    missing_sample: [{ path: `data/${first?.path}`, code: 'STORE_NOT_FOUND' }],
    unexpected_files: 2,
    unexpected_sample: [{ path: '.hidden' }, { path: 'data/a/b/slipped in.parquet' }],
  })
  t.match(ended.error, /1 file damaged, 1 file missing, 2 files unexpected/)
  t.match((await call('GET', '')).json, { backups: [{ backup_id: id, verified: 'damaged' }, {}] })
  const findings = `${folder}/data/arc-backup/findings/${ended.operation_id}.jsonl`
  t.equal(readFileSync(findings, 'utf8').trim().split('\n').length, 4, 'all of them are on record')
  t.match(await call('DELETE', `/${id}`), { status: 200 })
  t.notOk(existsSync(findings), 'and are gone with the backup')
})

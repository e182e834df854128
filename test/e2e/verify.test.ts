import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

function flipBit(path: string, bit: number): void {
  const content = readFileSync(path)
  content[bit >> 3] = (content[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  writeFileSync(path, content)
}

const sound = { damaged_files: 0, missing_files: 0, unexpected_files: 0 }

t.test('a sound backup', async (t) => {
  const { call, verify, id, folder } = await scene(t)
  t.match(await verify(), { outcome: 'completed', level: 'full', verified: 'full', processed_files: 38, ...sound })
  const deep = await verify({ level: 'deep' })
  t.match(deep, { outcome: 'completed', verified: 'deep', ...sound, warnings: [] })
  t.equal(deep.processed_bytes, deep.total_bytes)
  t.ok(Number(deep.total_bytes) > 83_766, 'the data, and arc.db')
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
  t.same(readdirSync(`${folder}/data/arc-backup/operations`), [], 'nothing is left of it')
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
  const all = await call('GET', `/operations/${ended.operation_id}/findings`)
  t.equal(all.headers.get('content-type'), 'application/x-ndjson')
  const lines = all.text.trim().split('\n')
  t.equal(lines.length, 4, 'all of them are on record')
  t.match(JSON.parse(String(lines[0])), { flaw: 'missing', path: `data/${first?.path}` })
  t.match(await call('DELETE', `/${id}`), { status: 200 })
  t.notOk(existsSync(findings), 'and are gone with the backup')
})

t.test('a bit flipped in any file', async (t) => {
  const { verify, backup } = await scene(t)
  const list = JSON.parse(readFileSync(`${backup}/manifest-files.json`, 'utf8')) as Record<string, Json[]>
  const data = list.files?.map(({ path }) => `data/${path}`) ?? []
  const others = list.other_files?.map(({ path }) => String(path)) ?? []
  t.equal(data.length + others.length, 38)
  for (const path of [...data, ...others, 'manifest.json', 'manifest-files.json']) {
    const whole = readFileSync(`${backup}/${path}`)
    flipBit(`${backup}/${path}`, Math.floor(Math.random() * whole.length * 8))
    const ended = await verify({ level: 'full' })
    t.match(
      ended,
      { outcome: 'failed', verified: 'damaged', damaged_files: 1, missing_files: 0, unexpected_files: 0 },
      path,
    )
    t.match(ended.damaged_sample, [{ path }])
    writeFileSync(`${backup}/${path}`, whole)
  }
  t.match(await verify(), { outcome: 'completed', verified: 'full' })
})

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { adminToken, copyFixture, facts } from '../support/fixture.js'
import { startProgram } from '../support/process.js'

t.test('no credential shows in logs at trace level, journal, manifests, answers or the process list', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const bootstrap = 'SENTINEL-bootstrap-0123456789abcdefghij'
  const program = startProgram(t, ['serve'], {
    cwd: folder,
    env: {
      ARC_BACKUP_PORT: '0',
      ARC_BACKUP_HOST: '127.0.0.1',
      ARC_LOG_LEVEL: 'trace',
      ARC_AUTH_BOOTSTRAP_TOKEN: bootstrap,
      ARC_ENCRYPTION_KEY: 'SENTINEL-key',
    },
  })
  const [, url] = await program.waitFor(/"url":"([^"]+)"/)
  const answers: string[] = []
  const call = async (path: string, init: RequestInit = {}): Promise<string> => {
    const answer = await fetch(`${url}${path}`, init)
    const text = `${JSON.stringify([...answer.headers])}${await answer.text()}`
    answers.push(text)
    return text
  }
  const admin = { authorization: `Bearer ${adminToken}` }
  // Every place where a credential may stand, right ones and wrong ones.
  await call('/api/v1/backup', { headers: admin })
  await call('/api/v1/backup', { headers: { authorization: `Token ${adminToken}` } })
  await call('/api/v1/backup', { headers: { authorization: 'Bearer SENTINEL-bearer' } })
  await call('/api/v1/backup', { headers: { authorization: 'Basic SENTINEL-basic' } })
  await call('/api/v1/backup', { headers: { 'x-api-key': 'SENTINEL-api-key' } })
  await call('/api/v1/backup?p=SENTINEL-query')
  await call(`/api/v1/backup?p=${encodeURIComponent(adminToken)}`)
  await call('/api/v1/nothing?token=SENTINEL-token', { headers: admin })
  await call('/api/v1/backup', { headers: { authorization: `Bearer ${bootstrap}` } })
  await call('/api/v1/backup', { headers: { cookie: 'session=SENTINEL-cookie' } })
  await call('/api/v1/backup/restore', {
    method: 'POST',
    headers: { ...admin, 'content-type': 'application/json' },
    body: '{"token":"SENTINEL-body", nonsense',
  })
  await call('/api/v1/backup', {
    method: 'POST',
    headers: { ...admin, 'content-type': 'application/json' },
    body: '{"include_metadata":"SENTINEL-field"}',
  })
  await call('/api/v1/backup', { method: 'POST', headers: admin })
  while ((await call('/api/v1/backup/status', { headers: admin })).includes('"running"')) await sleep(20)
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
  program.child.kill('SIGTERM')
  const { stdout, stderr } = await program.ended
  const records = filesBelow(`${folder}/data/arc-backup`).concat(
    filesBelow(`${folder}/data/backups`).filter((path) => path.endsWith('.json')),
  )
  const places: Record<string, string> = { log: stdout + stderr, answers: answers.join('\n'), processes }
  for (const path of records) places[path] = readFileSync(path, 'latin1')
  t.ok(records.length >= 3, 'there is a journal and there are manifests')
  t.match(stdout, /"caller":"admin"/, 'the log says who asked')
  const secrets = [...Object.values(facts.tokens), 'SENTINEL']
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) t.notOk(text.includes(secret), `${place.split('/').at(-1)}: ${secret.slice(0, 8)}`)
  }
})

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path}`)
    .filter((path) => statSync(path).isFile())
}

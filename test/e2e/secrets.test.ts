import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { receive } from '../notify/scene.js'
import { adminToken, copyFixture, facts } from '../support/fixture.js'
import { startProgram } from '../support/process.js'

t.test('no credential shows in logs at trace level, journal, manifests, answers or the process list', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const bootstrap = 'SENTINEL-bootstrap-0123456789abcdefghij'
  // What the test runner adds to the environment may be longer than what the log keeps.
  writeFileSync(
    `${folder}/hook.sh`,
    '#!/bin/sh\ncd "$(dirname "$0")"\n{ env; cat; } > told\nenv >&2; env | grep ^ARC_ >&2\nexit 1\n',
    {
      mode: 0o755,
    },
  )
  // The address holds the sentinel too.
  const receiver = await receive(t, 500, 204)
  const program = startProgram(t, ['serve'], {
    cwd: folder,
    env: {
      ARC_BACKUP_PORT: '0',
      ARC_BACKUP_HOST: '127.0.0.1',
      ARC_LOG_LEVEL: 'trace',
      ARC_AUTH_BOOTSTRAP_TOKEN: bootstrap,
      ARC_ENCRYPTION_KEY: 'SENTINEL-key',
      ARC_BACKUP_HOOKS_COMMAND: './hook.sh',
      ARC_BACKUP_WEBHOOK_URL: receiver.url,
      ARC_BACKUP_WEBHOOK_SECRET: 'SENTINEL-webhook-secret',
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
  while (receiver.received.length < 2) await sleep(20)
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
  program.child.kill('SIGTERM')
  const { stdout, stderr } = await program.ended
  const records = filesBelow(`${folder}/data/arc-backup`).concat(
    filesBelow(`${folder}/data/backups`).filter((path) => path.endsWith('.json')),
  )
  const places: Record<string, string> = {
    log: stdout + stderr,
    answers: answers.join('\n'),
    processes,
    command: readFileSync(`${folder}/told`, 'utf8'),
    webhook: receiver.received.map(({ headers, body }) => JSON.stringify(headers) + body).join('\n'),
  }
  for (const path of records) places[path] = readFileSync(path, 'latin1')
  t.ok(records.length >= 3, 'there is a journal and there are manifests')
  t.match(stdout, /"caller":"admin"/, 'the log says who asked')
  t.match(stdout, /the webhook answered 500/, 'and that it was told only the second time')
  t.match(stdout, /"said":"[^"]*ARC_BACKUP_EVENT/, 'and what a command said')
  holdNone(t, places, [...Object.values(facts.tokens), 'SENTINEL'])
})

t.test('nor does one of a store, whichever way it is given, while every one of them fails', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const refused = await closedPort()
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  // A key is sent as what was signed with it, a connection string in parts: each is looked for as it is written and as it is read.
  const keys = ['SENTINEL-account', 'SENTINEL-string'].map(base64)
  const targets = {
    s3: `type = "s3"\ns3_bucket = "acme"\ns3_endpoint = "http://127.0.0.1:${refused}"\ns3_access_key = "SENTINELID"\ns3_secret_key = "SENTINEL-s3"`,
    chain: `type = "s3"\ns3_bucket = "other"\ns3_endpoint = "http://127.0.0.1:${refused}"`,
    key: `type = "azure"\nazure_container = "acme"\nazure_endpoint = "http://127.0.0.1:${refused}/one"\nazure_account_name = "acme"\nazure_account_key = "${keys[0]}"`,
    sas: `type = "azure"\nazure_container = "acme"\nazure_endpoint = "http://127.0.0.1:${refused}/two"\nazure_account_name = "acme"\nazure_sas_token = "?sv=2024-01-01&sig=SENTINEL-sas"`,
    string: `type = "azure"\nazure_container = "acme"\nazure_connection_string = "AccountName=acme;AccountKey=${keys[1]};BlobEndpoint=http://127.0.0.1:${refused}/three"`,
  }
  const tables = Object.entries(targets).map(([name, lines]) => `[backup.targets.${name}]\n${lines}\n`)
  const config = readFileSync(`${folder}/arc.toml`, 'utf8').replace('[backup]', '[backup]\ndefault_target = "local"')
  writeFileSync(`${folder}/arc.toml`, `${config}\n${tables.join('')}`)
  const program = startProgram(t, ['serve'], {
    cwd: folder,
    env: {
      ARC_BACKUP_PORT: '0',
      ARC_BACKUP_HOST: '127.0.0.1',
      ARC_BACKUP_RETRY_TIMEOUT: '200ms',
      ARC_LOG_LEVEL: 'trace',
      AWS_ACCESS_KEY_ID: 'SENTINELENV',
      AWS_SECRET_ACCESS_KEY: 'SENTINEL-env',
      AWS_SESSION_TOKEN: 'SENTINEL-session',
    },
  })
  const [, url] = await program.waitFor(/"url":"([^"]+)"/)
  const answers: string[] = []
  const call = async (method: string, path: string, body?: unknown): Promise<string> => {
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
    const answer = await fetch(`${url}${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    const text = await answer.text()
    answers.push(text)
    return text
  }
  t.match(await call('GET', '/api/v1/backup'), /"unreachable_targets":\["chain","key","s3","sas","string"\]/)
  for (const target of Object.keys(targets)) {
    while ((await call('POST', '/api/v1/backup', { target, include_config: false })).includes('"BUSY"')) await sleep(50)
    while ((await call('GET', '/api/v1/backup/status')).includes('"running"')) await sleep(20)
    t.match(answers.at(-1), '"status":"failed"', target)
  }
  await call('GET', '/metrics')
  await call('GET', '/api/v1/backup/operations')
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
  program.child.kill('SIGTERM')
  const { stdout, stderr } = await program.ended
  const places: Record<string, string> = { log: stdout + stderr, answers: answers.join('\n'), processes }
  for (const path of filesBelow(`${folder}/data/arc-backup`)) places[path] = readFileSync(path, 'latin1')
  holdNone(t, places, ['SENTINEL', ...keys])
})

function holdNone(t: Test, places: Record<string, string>, secrets: readonly string[]): void {
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) t.notOk(text.includes(secret), `${place.split('/').at(-1)}: ${secret.slice(0, 8)}`)
  }
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path}`)
    .filter((path) => statSync(path).isFile())
}

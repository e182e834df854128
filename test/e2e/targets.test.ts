import { once } from 'node:events'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { copyFixture } from '../support/fixture.js'
import { type Json, startTestService, type TestService } from '../support/service.js'

// Several places for backups: which one is meant, and one that gives no answer keeps nobody from the others.

/** A server that takes every connection and says nothing. */
async function startSilent(t: Test): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function start(t: Test, targets: Readonly<Record<string, readonly string[]>>): Promise<TestService> {
  const folder = t.testdir({})
  copyFixture(folder)
  const tables = Object.entries(targets).flatMap(([name, lines]) => [`[backup.targets.${name}]`, ...lines])
  const config = ['[auth]', 'db_path = "./data/arc.db"', '[backup]', 'local_path = ""', 'retry_timeout = "10s"']
  const [first = ''] = Object.keys(targets)
  writeFileSync(`${folder}/arc.toml`, [...config, `default_target = "${first}"`, ...tables].join('\n'))
  return startTestService(t, { folder })
}

const disk = (name: string): string[] => ['type = "local"', `local_path = "./data/${name}"`]
const bucket = (port: number): string[] => [
  ...['type = "s3"', 's3_bucket = "some-where"', `s3_endpoint = "127.0.0.1:${port}"`, 's3_use_ssl = false'],
  ...['s3_path_style = true', 's3_access_key = "key"', 's3_secret_key = "a-secret-nobody-sees"'],
]

t.test('the same backup at two targets: neither is guessed', async (t) => {
  const { folder, call, run } = await start(t, { one: disk('one'), two: disk('two') })
  const { backup_id: id, target } = await run('', { target: 'two' })
  t.equal(target, 'two')
  t.match((await call('GET', '')).json.backups, [{ backup_id: id, target: 'two' }])
  t.match(await call('GET', `/${id}`), { status: 200 }, 'found wherever it is')
  cpSync(`${folder}/data/two/${id}`, `${folder}/data/one/${id}`, { recursive: true })
  const listed = (await call('GET', '')).json.backups as Json[]
  t.same(listed.map((backup) => backup.target).sort(), ['one', 'two'])
  for (const [method, path, body] of [
    ['GET', `/${id}`, undefined],
    ['DELETE', `/${id}`, undefined],
    ['POST', `/${id}/verify`, {}],
    ['POST', '/restore', { backup_id: id, confirm: true }],
  ] as const) {
    const answer = await call(method, path, body)
    t.match(answer, { status: 400, json: { error: /several targets: one, two/ } }, `${method} ${path}`)
  }
  t.match(await call('GET', `/${id}?target=one`), { status: 200 })
  t.match(await call('GET', `/${id}?target=three`), {
    status: 400,
    json: { error: /unknown target "three".*one, two/ },
  })
  t.match(await call('DELETE', `/${id}?target=two`), { status: 200 })
  t.match((await call('GET', '')).json.backups, [{ backup_id: id, target: 'one' }])
  rmSync(`${folder}/data/arc`, { recursive: true })
  t.match(await run('/restore', { backup_id: id, confirm: true }), { outcome: 'completed', target: 'one' })
})

t.test('a target that gives no answer is named after five seconds', async (t) => {
  const { call, run } = await start(t, { near: disk('near'), far: bucket(await startSilent(t)) })
  const started = await call('POST', '', {})
  t.match(started, { status: 202, json: { target: 'near', include_config: false } }, 'one target is remote')
  for (;;) if ((await call('GET', '/status')).json.status !== 'running') break
  const [began, { json }] = [performance.now(), await call('GET', '')]
  t.ok(performance.now() - began < 9000)
  t.match(json, {
    count: 1,
    backups: [{ target: 'near' }],
    unreachable_targets: ['far'],
    warning: 'some targets gave no answer: far',
  })
  t.match(await call('GET', `/${started.json.backup_id}`), { status: 200 }, 'what is found elsewhere is found')
  const missing = await call('GET', '/backup-20200101-000000-00000000')
  t.match(missing, { status: 503, json: { error: /cannot say where .* is: far does not answer/ } })
  t.match(await run('/restore', { backup_id: started.json.backup_id, confirm: true }), { outcome: 'completed' })
  t.notMatch(JSON.stringify([json, missing.json]), 'a-secret-nobody-sees')
})

t.test('none can be read', async (t) => {
  const port = await startSilent(t)
  const { call } = await start(t, { far: bucket(port), further: bucket(port + 1) })
  const answer = await call('GET', '')
  t.equal(answer.status, 503)
  t.match(answer.text, /no target can be read/)
  t.notMatch(answer.text, 'a-secret-nobody-sees')
})

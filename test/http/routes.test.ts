import t from 'tap'
import { ServiceError } from '../../src/errors.js'
import { adminToken, arcBackupId, facts } from '../support/fixture.js'
import { as, operationId, running, startApi } from './scene.js'

const group = '/api/v1/backup'

t.test('the six endpoints, with what Arc answers and a little more', async (t) => {
  const { call, post, engine } = await startApi(t)
  const created = await post(group, {})
  t.equal(created.status, 202)
  t.equal(
    created.text,
    `{"backup_id":"backup-20261123-110000-00000001","message":"Backup started","operation_id":"${operationId}","status":"running","target":"local"}`,
  )
  t.match((await post(group, { databases: ['metrics'] })).json, { databases: ['metrics'] })

  t.equal(
    (await call('GET', group)).text,
    `{"backups":[{"backup_id":"${arcBackupId}","backup_type":"full"}],"count":1}`,
  )
  engine.warnings = ['one is damaged']
  t.same((await call('GET', group)).json.warnings, ['one is damaged'])
  t.equal((await call('GET', `${group}/status`)).text, '{"status":"idle"}')

  const shown = await call('GET', `${group}/${arcBackupId}`)
  t.match(shown, { status: 200, text: /"name":"\\u003ca\\u003e\\u0026b"/ })

  const restored = await post(`${group}/restore`, { backup_id: arcBackupId, confirm: true, databases: ['metrics'] })
  t.equal(restored.status, 202)
  t.equal(
    restored.text,
    `{"backup_id":"${arcBackupId}","databases":["metrics"],"message":"Restore started","mode":"merge","operation_id":"${operationId}","status":"running","target":"local"}`,
  )
  const whole = await post(`${group}/restore`, { backup_id: arcBackupId, confirm: true, mode: 'replace' })
  t.match(whole, { status: 202, json: { mode: 'replace', databases: undefined } })

  const deleted = await call('DELETE', `${group}/${arcBackupId}`)
  t.equal(deleted.status, 200)
  t.equal(deleted.text, `{"backup_id":"${arcBackupId}","message":"Backup deleted"}`)
  t.same(engine.deleted, [arcBackupId])
  t.match(await call('POST', `${group}/cancel`), { status: 202, json: { status: 'running' } })
})

t.test('a verify: of everything unless it is said, and what it found', async (t) => {
  const { call, post, engine } = await startApi(t)
  const path = `${group}/${arcBackupId}/verify`
  const started = await call('POST', path)
  t.equal(started.status, 202)
  t.equal(
    started.text,
    `{"backup_id":"${arcBackupId}","level":"full","message":"Verify started","operation_id":"${operationId}","status":"running","target":"local"}`,
  )
  t.match((await post(path, { level: 'deep', target: 'offsite' })).json, { level: 'deep' })
  await post(`${path}?target=there`, {})
  t.match(
    engine.asked.map(({ request }) => request),
    [
      { backupId: arcBackupId, level: 'full', target: undefined },
      { level: 'deep', target: 'offsite' },
      { level: 'full', target: 'there' },
    ],
  )
  for (const body of [{ level: 'deeper' }, { level: 1 }, { target: 7 }, [], 'full'])
    t.match(await post(path, body), { status: 400 }, JSON.stringify(body))
  t.match(await post(`${group}/nonsense/verify`, {}), { status: 400 })
  t.match(await post(`${group}/backup-20261123-103045-00000000/verify`, {}), { status: 404 })
  t.match(await call('GET', path), { status: 405 })
  engine.current = running
  const found = await call('GET', `${group}/operations/${operationId}/findings`)
  t.match(found, { status: 200, text: '{"flaw":"missing"}\n' })
  t.equal(found.headers.get('content-type'), 'application/x-ndjson')
  t.match(await call('GET', `${group}/operations/ffffffffffff/findings`), { status: 404 })
  t.match(await call('POST', `${group}/operations/${operationId}/cancel`), { status: 202 })
  engine.failure = new ServiceError('BUSY', 'A backup is being verified already', { operation: 'verify' })
  t.match(await post(path, {}), { status: 409, json: { operation: 'verify' } })
})

t.test('neither case nor one slash at the end matter, and HEAD works wherever GET does', async (t) => {
  const { call, post } = await startApi(t)
  const paths = [group, `${group}/`, '/API/v1/Backup', '/api/V1/BACKUP/', `${group}/Status`, `${group}/status/`]
  for (const path of [...paths, `${group}/${arcBackupId}/`, `/API/V1/BACKUP/${arcBackupId}`, '/Health', '/ready/']) {
    const got = await call('GET', path)
    t.equal(got.status, 200, path)
    const head = await call('HEAD', path)
    t.equal(head.status, 200, `HEAD ${path}`)
    t.equal(head.text, '')
    t.equal(head.headers.get('content-type'), 'application/json')
    t.ok(Number(head.headers.get('content-length')) > 10, 'the length that GET would have')
  }
  t.equal((await post('/API/v1/backup/', {})).status, 202)
  t.equal((await post('/api/v1/backup/RESTORE/', { backup_id: arcBackupId, confirm: true })).status, 202)
  t.equal((await call('DELETE', `${group}/${arcBackupId}/`)).status, 200)
  for (const path of ['/api/v1/nothing', `${group}/xyz`]) t.equal((await call('HEAD', path)).text, '', path)
})

t.test('an id that is none', async (t) => {
  const { call, raw, engine } = await startApi(t)
  const bad = ['xyz', arcBackupId.toUpperCase(), '..%2f..%2fetc', `${arcBackupId}%2f..`, '%zz', '%', '%00', '%ff%fe']
  for (const id of [...bad, `${arcBackupId}x`, `x${arcBackupId}`, `${arcBackupId}%0a`, '%2e%2e%2f', '<script>']) {
    for (const method of ['GET', 'DELETE']) {
      const answer = await call(method, `${group}/${id}`)
      t.equal(answer.status, 400, `${method} ${id}`)
      t.equal(answer.arcs, '{"error":"Invalid backup ID format"}')
    }
  }
  // What fetch would resolve before sending it.
  for (const path of ['/..', '/.', '/%2e%2e', '/../../etc/passwd', `/${arcBackupId}/../x`, `//${arcBackupId}`, '//']) {
    const answer = await raw(
      `DELETE ${group}${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\nConnection: close\r\n\r\n`,
    )
    t.match(answer, /^HTTP\/1\.1 40[045] /, path)
  }
  for (const method of ['GET', 'DELETE']) {
    const answer = await call(method, `${group}/backup-20200101-000000-00000000`)
    t.match(answer, { status: 404, arcs: '{"error":"Backup not found"}' })
  }
  t.match(
    await call('POST', `${group}/restore`, {
      body: '{"backup_id":"backup-20200101-000000-00000000","confirm":true}',
      headers: { ...as(adminToken).headers, 'content-type': 'application/json' },
    }),
    { status: 404, arcs: '{"error":"Backup not found"}' },
  )
  t.same(engine.deleted, [])
})

t.test('operations on record: pages of them, and each', async (t) => {
  const { call, engine } = await startApi(t)
  const path = `${group}/operations`
  t.equal((await call('GET', path, as(adminToken))).text, '{"operations":[],"count":0}')
  engine.current = running
  const { json } = await call('GET', `${path}?limit=5&before=${operationId}`, as(adminToken))
  t.match(json, { count: 1, operations: [{ operation_id: running.operationId, requested_by: 'nightly' }] })
  t.same(engine.pages, [
    { limit: 100, before: undefined },
    { limit: 5, before: operationId },
  ])
  t.match((await call('GET', `${path}/${running.operationId}`, as(adminToken))).json, {
    operation: 'backup',
    target: 'local',
    request: { include_metadata: true },
  })
  t.equal((await call('GET', `${path}/000000000000`, as(adminToken))).arcs, '{"error":"Operation not found"}')
  for (const [query = '', why] of [
    ['limit=0', 'limit must be at least 1'],
    ['limit=1001', 'limit must be at most 1000'],
    ['limit=1.5', 'limit must be a whole number'],
    ['limit=ten', 'limit must be a number'],
    ['before=..', 'before must be the id of an operation'],
    ['before=0123456789ab&before=0123456789ab', 'before must be the id of an operation'],
  ]) {
    const answer = await call('GET', `${path}?${query}`, as(adminToken))
    t.same([answer.status, answer.arcs], [400, JSON.stringify({ error: why })], query)
  }
})

t.test('a method that does not fit, a path that is not there', async (t) => {
  const { call, raw } = await startApi(t)
  const allowed: [method: string, path: string, allow: string][] = [
    ['PUT', group, 'GET, HEAD, POST'],
    ['DELETE', `${group}/`, 'GET, HEAD, POST'],
    ['PATCH', `${group}/status`, 'GET, HEAD, DELETE'],
    ['POST', `${group}/${arcBackupId}`, 'GET, HEAD, DELETE'],
    ['PUT', `${group}/restore`, 'GET, HEAD, POST, DELETE'],
    ['POST', '/health', 'GET, HEAD'],
  ]
  for (const [method, path, allow] of allowed) {
    const answer = await call(method, path)
    t.equal(answer.status, 405, `${method} ${path}`)
    t.equal(answer.arcs, '{"error":"Method Not Allowed"}')
    t.equal(answer.headers.get('allow'), allow)
  }
  t.equal((await call('DELETE', '/a/b?x=1')).arcs, '{"error":"Cannot DELETE /a/b"}')
  t.equal((await call('GET', `${group}/a/b`)).arcs, `{"error":"Cannot GET ${group}/a/b"}`)
  const { admin2 } = facts.tokens
  t.equal((await call('GET', `/${admin2}`)).arcs, '{"error":"Cannot GET /***"}', 'a token is not sent back')
  const markup = `GET /<b>&' HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\nConnection: close\r\n\r\n`
  t.match(await raw(markup), '{"error":"Cannot GET /\\u003cb\\u003e\\u0026\'",')
})

t.test('what the engine refuses or fails at', async (t) => {
  const { call, post, engine } = await startApi(t)
  const full = new ServiceError('STORE_FULL', 'cannot write x at /y: no space is left')
  const busy = new ServiceError('BUSY', 'A backup or restore operation is already in progress', { operation: 'delete' })
  const unknown = new ServiceError('REQUEST_INVALID', 'unknown databases: a, b', { unknownDatabases: ['a', 'b'] })
  const damaged = new ServiceError('MANIFEST_INVALID', 'the manifest is not JSON')
  const closing = new ServiceError('UNAVAILABLE', 'the service is shutting down')
  const is409 =
    '{"error":"A backup or restore operation is already in progress","operation":"delete","status":"running"}'
  const one = `${group}/${arcBackupId}`
  const cases: [failure: unknown, method: string, path: string, status: number, text: string][] = [
    [busy, 'POST', group, 409, is409],
    [busy, 'DELETE', one, 409, is409],
    [new ServiceError('BUSY', 'x'), 'POST', group, 409, '{"error":"x","operation":"unknown","status":"running"}'],
    [unknown, 'POST', group, 400, '{"error":"unknown databases: a, b","unknown_databases":["a","b"]}'],
    [closing, 'POST', group, 503, '{"error":"the service is shutting down"}'],
    [closing, 'GET', group, 503, '{"error":"the service is shutting down"}'],
    [full, 'POST', group, 507, '{"error":"cannot write x at /y: no space is left"}'],
    [full, 'GET', group, 507, `{"error":"Failed to list backups","detail":"${full.message}"}`],
    [full, 'DELETE', one, 507, `{"error":"Failed to delete backup","detail":"${full.message}"}`],
    [damaged, 'GET', one, 404, '{"error":"Backup not found","detail":"the manifest is not JSON"}'],
    [full, 'GET', one, 507, `{"error":"${full.message}"}`],
    [new Error('secret'), 'GET', group, 500, '{"error":"Internal server error"}'],
    ['secret', 'DELETE', one, 500, '{"error":"Internal server error"}'],
    [new ServiceError('INTERNAL', 'secret'), 'POST', group, 500, '{"error":"Internal server error"}'],
    [
      new ServiceError('NOT_FOUND', 'No operation is running'),
      'POST',
      `${group}/cancel`,
      404,
      '{"error":"No operation is running"}',
    ],
  ]
  for (const [failure, method, path, status, text] of cases) {
    engine.failure = failure
    const answer = await call(method, path)
    t.equal(answer.status, status, text)
    t.equal(answer.arcs, text)
  }
  engine.failure = busy
  t.equal((await post(`${group}/restore`, { backup_id: arcBackupId, confirm: true })).arcs, is409)
})

t.test('health and readiness', async (t) => {
  const { call, engine } = await startApi(t)
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
  const health = await call('GET', '/health', { headers: {} })
  t.match(health, { status: 200, json: { status: 'ok', time, uptime: /^(\d+h)?(\d+m)?\d+s$/, uptime_sec: Number } })
  t.same(Object.keys(health.json), ['status', 'time', 'uptime', 'uptime_sec'])
  const ready = await call('GET', '/ready', { headers: {} })
  t.match(ready, { status: 200, json: { status: 'ready', time, uptime_sec: Number } })
  engine.isReady = false
  const notReady = await call('GET', '/ready', { headers: {} })
  t.match(notReady, { status: 503, json: { status: 'not_ready', time, reason: /shutting down/ } })
  t.equal((await call('GET', '/health', { headers: {} })).status, 200, 'it lives as long as it answers')
})

import { connect } from 'node:net'
import t from 'tap'
import { ServiceError } from '../../src/errors.js'
import { adminToken, arcBackupId, facts } from '../support/fixture.js'
import { as, startApi } from './scene.js'

const group = '/api/v1/backup'

t.test('only what went wrong is logged, one line each, with the id that the client has', async (t) => {
  const { call, engine, log } = await startApi(t)
  await call('GET', group)
  await call('POST', group)
  await call('GET', '/health', { headers: {} })
  t.same(log, [])
  const refused = await call('GET', `${group}/xyz?p=hidden`)
  engine.failure = new ServiceError('STORE_IO', 'cannot list / at /backups: EIO')
  const failed = await call('GET', group)
  const lines = log.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(lines, [
    {
      level: 40,
      request_id: refused.headers.get('x-request-id'),
      method: 'GET',
      path: `${group}/xyz`,
      status: 400,
      duration_ms: Number,
      size: refused.text.length,
      ip: /127\.0\.0\.1/,
      message: 'HTTP request error',
    },
    {
      level: 50,
      request_id: failed.headers.get('x-request-id'),
      status: 500,
      code: 'STORE_IO',
      error: 'Failed to list backups',
      explanation: 'cannot list / at /backups: EIO',
    },
  ])
  t.equal(lines.length, 2)
  t.notOk('error' in (lines[0] ?? {}), 'what a client did wrong may quote what it sent')
})

t.test('a bug is logged with its stack and causes, and not told to the client', async (t) => {
  const { call, engine, log } = await startApi(t)
  // An error of a parser carries what it could not parse.
  engine.failure = Object.assign(new Error('outer', { cause: new Error('inner') }), { body: 'SENTINEL-body' })
  t.equal((await call('GET', group)).arcs, '{"error":"Internal server error"}')
  t.match(JSON.parse(log[0] ?? ''), {
    level: 50,
    message: 'unexpected failure',
    exception: { type: 'Error', message: 'outer', stack: /boundary\.test\.ts/, cause: { message: 'inner' } },
  })
  t.match(JSON.parse(log[1] ?? ''), { level: 50, status: 500, message: 'HTTP request error' })
  for (const thrown of ['SENTINEL-text', undefined, { status: 418 }]) {
    engine.failure = thrown ?? new Error()
    t.equal((await call('GET', group)).status, 500)
  }
  t.notMatch(log.join(''), 'SENTINEL-body')
})

t.test('no credential shows in the log at trace level, nor in an answer', async (t) => {
  const { call, raw, engine, log, port } = await startApi(t)
  const received: string[] = []
  const send = async (text: string): Promise<void> => void received.push(await raw(text))
  const request = (line: string, ...headers: string[]): string =>
    `${line} HTTP/1.1\r\n${['Host: x', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`
  const admin = `Authorization: Bearer ${adminToken}`
  const sentinel = (place: string): string => `SENTINEL-${place}-0123456789-abcdefghijklmnop`
  await send(request(`GET ${group}`, `Authorization: Bearer ${sentinel('bearer')}`))
  await send(request(`GET ${group}`, `Authorization: Basic ${sentinel('basic')}`))
  await send(request(`GET ${group}`, `x-api-key: ${sentinel('key')}`))
  await send(request(`GET ${group}?p=${sentinel('query')}`))
  await send(request(`GET ${group}?p=${adminToken}`))
  await send(request(`GET ${group}/xyz?p=${adminToken}`))
  await send(request(`GET ${group}?token=${sentinel('token')}`))
  await send(request(`GET ${group}/${sentinel('id')}`, admin))
  await send(request(`DELETE ${group}/${adminToken}`, admin))
  await send(request(`GET /${sentinel('path')}/x?p=${sentinel('both')}`, admin))
  await send(request(`GET /x/token=${sentinel('segment')}`, admin))
  await send(request(`GET /${sentinel('unknown')}`))
  await send(request(`PUT ${group}/${sentinel('put')}`, admin))
  await send(request(`GET http://user:${sentinel('userinfo')}@x/nothing`, admin))
  await send(request(`GET ${group}`, `Cookie: ${sentinel('cookie')}`, `Origin: http://${sentinel('origin')}`))
  await send(request(`GET ${group}`, `X-Request-Id: ${sentinel('request')}`))
  await send(request(`GET ${group}`, `Expect: ${sentinel('expect')}`))
  // What never becomes a request.
  await send(`GET ${group}?p=${sentinel('version')} HTTP/9.9\r\n\r\n`)
  await send(`${sentinel('method')} ${group} HTTP/1.1\r\n\r\n`)
  await send(request(`GET ${group}`, `Bad Header ${sentinel('header')}: x`, admin))
  await send(request(`GET ${group}`, `x-api-key: ${sentinel('long').repeat(2500)}`))
  const json = ['Content-Type: application/json', admin]
  const body = async (path: string, text: string, ...more: string[]): Promise<void> =>
    send(`${request(`POST ${group}${path}`, ...json, ...more, `Content-Length: ${text.length}`)}${text}`)
  for (const path of ['', '/restore']) {
    await body(path, `{"token":"${sentinel('json')}", nonsense`)
    await body(path, `{"${sentinel('name')}":1,"include_metadata":"${sentinel('value')}","confirm":"${sentinel('v')}"}`)
    await body(path, `"${sentinel('literal')}"`)
    await body(path, sentinel('gzip'), 'Content-Encoding: gzip')
    await body(path, '{}', `Content-Encoding: ${sentinel('encoding')}`)
  }
  engine.failure = Object.assign(new Error('a bug'), { rawPacket: Buffer.from(sentinel('packet')) })
  await send(request(`GET ${group}`, admin))
  const socket = connect(port, '127.0.0.1')
  socket.write(request(`GET ${group}`, admin))
  socket.resetAndDestroy()
  for (const token of Object.values(facts.tokens)) await call('GET', group, as(token))

  t.ok(log.length > 30)
  t.ok(received.every((text) => /^HTTP\/1\.1 (200|40[0-9]|431|500) /.test(text)))
  const seen = log.join('') + received.join('')
  // Also where it was written as bytes.
  const decoded = seen.replace(/\[[\d,]{20,}\]/g, (bytes) => Buffer.from(JSON.parse(bytes)).toString())
  for (const secret of ['SENTINEL', ...Object.values(facts.tokens)]) {
    t.notOk(decoded.includes(secret), secret.slice(0, 12))
    t.notOk(decoded.includes(Buffer.from(secret).toString('base64').slice(0, 10)), `${secret.slice(0, 12)} in base64`)
  }
  t.match(log.join(''), new RegExp(`"path":"${group}/\\*\\*\\*"`), 'that there was something is logged')
  t.equal((await call('GET', `${group}/${arcBackupId}`)).status, 200)
})

t.test('an error says which it is, what to do about it, and under which id the log has it', async (t) => {
  const { call, engine, log } = await startApi(t)
  engine.failure = new ServiceError('STORE_FULL', 'cannot write x at /y: no space is left')
  const full = await call('POST', group)
  t.match(full.json, { code: 'STORE_FULL', hint: /make room/, request_id: full.headers.get('x-request-id') })
  t.match(JSON.parse(log[0] ?? ''), { request_id: full.json.request_id })
  t.same(Object.keys(full.json), ['error', 'code', 'hint', 'request_id'], "Arc's keys come first")
  const unknown = await call('GET', '/nothing')
  t.match(unknown.json, { code: 'NOT_FOUND', hint: undefined, request_id: /^[0-9a-f-]{36}$/ })
  t.match((await call('PUT', group)).json, { code: 'METHOD_NOT_ALLOWED', hint: /Allow/ })
  t.match((await call('GET', group, { headers: {} })).json, { code: 'UNAUTHENTICATED', hint: /admin/, success: false })
  engine.failure = new Error('a bug')
  t.match((await call('GET', group)).json, { code: 'INTERNAL', hint: /request_id/ })
})

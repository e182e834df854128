import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect } from 'node:net'
import Koa from 'koa'
import t from 'tap'
import { createServer } from '../../src/http/server.js'
import { arcsPart } from '../support/arcs-part.js'
import { adminToken, facts } from '../support/fixture.js'
import { startApi } from './scene.js'

const admin = `Authorization: Bearer ${adminToken}\r\n`
const timeouts = { readTimeoutMs: 1000, idleTimeoutMs: 1000 }

/** Is this one whole answer in our form, the connection closed after it? */
function isRefusal(answer: string, status: number, reason: string): boolean {
  const [head = '', body, ...more] = answer.split('\r\n\r\n')
  return (
    more.length === 0 &&
    head.startsWith(`HTTP/1.1 ${status} ${reason}\r\n`) &&
    ['Cache-Control: no-store', 'X-Frame-Options: DENY', 'Connection: close', 'Content-Type: application/json'].every(
      (line) => head.includes(line),
    ) &&
    arcsPart(body ?? '') === `{"error":"${reason}"}` &&
    head.includes(`X-Request-Id: ${(JSON.parse(body ?? '') as Record<string, string>).request_id}`)
  )
}

t.test('what is no request is answered in the same form, and hurts nobody else', async (t) => {
  const { call, raw, log } = await startApi(t)
  const malformed = [
    'nonsense\r\n\r\n',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1\r\nBad Header: x\r\n\r\n',
    'GET / HTTP/1.1\r\nX: a\0b\r\n\r\n',
    'GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
    'GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET /a b HTTP/1.1\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ]
  for (const text of malformed) {
    t.ok(isRefusal(await raw(text), 400, 'Bad Request'), JSON.stringify(text))
  }
  t.equal((await call('GET', '/health')).status, 200)
  t.same(log, [])
})

t.test('a target that is no URL is refused, and Node says nothing about it', async (t) => {
  const { raw } = await startApi(t)
  const warnings: Error[] = []
  const listener = (warning: Error): void => void warnings.push(warning)
  process.on('warning', listener)
  t.teardown(() => process.off('warning', listener))
  for (const target of ['http://[::1/?p=secret', 'http://x:99999999999/health?p=secret', 'http://[x]/', 'http://']) {
    const answer = await raw(`GET ${target} HTTP/1.1\r\n${admin}Connection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 400 [\s\S]*X-Frame-Options: DENY[\s\S]*\{"error":"Bad Request",[^{]*\}$/, target)
  }
  t.same(warnings, [])
})

t.test('a token of 100 kB', async (t) => {
  const { call, raw } = await startApi(t)
  const huge = 'x'.repeat(100_000)
  for (const where of [
    `GET /api/v1/backup?p=${huge} HTTP/1.1\r\n`,
    `GET /api/v1/backup HTTP/1.1\r\nx-api-key: ${huge}\r\n`,
  ]) {
    t.ok(isRefusal(await raw(`${where}Host: x\r\n\r\n`), 431, 'Request Header Fields Too Large'), where.slice(0, 40))
  }
  const long = await call('GET', '/api/v1/backup', { headers: { authorization: `Bearer ${huge.slice(0, 12_000)}` } })
  t.match(long, { status: 401, json: { error: 'Invalid or expired token' } }, 'one that fits in a header')
  t.equal((await call('GET', '/api/v1/backup')).status, 200)
})

t.test('what Node would answer by itself is answered as everything else', async (t) => {
  const { raw } = await startApi(t)
  t.match(
    await raw(`GET /api/v1/backup/status HTTP/1.1\r\n${admin}Connection: close\r\n\r\n`),
    /^HTTP\/1\.1 200 [\s\S]*"idle"/,
  )
  const expecting = `GET /api/v1/backup/status HTTP/1.1\r\nHost: x\r\n${admin}Expect: wonders\r\nConnection: close\r\n\r\n`
  t.match(await raw(expecting), /^HTTP\/1\.1 200 [\s\S]*"idle"/)
  t.match(await raw(`GET /api/v1/backup/status HTTP/1.0\r\n${admin}\r\n`), /^HTTP\/1\.1 200 [\s\S]*"idle"/)
  const upgrade = `GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n`
  t.match(await raw(upgrade), /^HTTP\/1\.1 200 /)
  t.equal(await raw('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'), '', 'no proxy')
})

t.test('whoever is too slow is sent away', async (t) => {
  const { call, raw, engine } = await startApi(t, timeouts)
  // The token is known then: it takes its time the first time.
  await call('GET', '/api/v1/backup')
  const [nothing, head, body, late] = await Promise.all([
    raw(''),
    raw('GET /health HTTP/1.1\r\nHost:'),
    raw(
      `POST /api/v1/backup HTTP/1.1\r\nHost: x\r\n${admin}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{}`,
    ),
    // Answered at once, while the body never comes: nothing may follow that answer.
    raw(`PUT /api/v1/backup HTTP/1.1\r\nHost: x\r\n${admin}Content-Length: 9\r\n\r\n{}`),
  ])
  t.ok(nothing === '' || isRefusal(nothing, 408, 'Request Timeout'), 'who says nothing')
  t.ok(isRefusal(head, 408, 'Request Timeout'), 'who does not finish the head')
  t.ok(isRefusal(body, 408, 'Request Timeout'), 'who does not finish the body')
  t.match(late, /^HTTP\/1\.1 405 [\s\S]*Not Allowed",[^{]*\}$/)
  const kept = await raw('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(kept, /^HTTP\/1\.1 200 /, 'who asks nothing more')
  t.same(engine.asked, [])
  t.equal((await call('GET', '/health')).status, 200)
})

t.test('a refusal is never taken for the answer to another request', async (t) => {
  const { raw, port } = await startApi(t)
  const create = `POST /api/v1/backup HTTP/1.1\r\nHost: x\r\n${admin}Content-Length: 0\r\n\r\n`
  t.notMatch(await raw(`${create}nonsense\r\n\r\n`), '400', 'sent behind one that is not answered yet')
  t.match(await sendAfterAnswer(port, create), /^HTTP\/1\.1 202 [\s\S]*\}HTTP\/1\.1 400 /, 'sent after its answer')

  const app = new Koa()
  app.use(async (ctx) => {
    ctx.res.write('half of an answer')
    ctx.respond = false
  })
  const server = createServer(app, { tls: null, ...timeouts })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  const received = await sendAfterAnswer(typeof address === 'object' && address ? address.port : 0, create)
  t.match(received, 'half of an answer')
  t.notMatch(received, 'Bad Request')
})

/** Sends a request and, when something comes back, nonsense on the same connection; answers all that came until it was closed. */
async function sendAfterAnswer(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('error', () => {}).setEncoding('latin1')
  socket.on('data', (text: string) => {
    if (received === '') socket.write('nonsense\r\n\r\n')
    received += text
  })
  socket.write(request)
  await once(socket, 'close')
  return received
}

t.test('the limits that are set', async (t) => {
  const server = createServer(new Koa(), { tls: null, readTimeoutMs: 30_000, idleTimeoutMs: 120_000 })
  t.match(server, { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 120_000, timeout: 30_000 })
})

t.test('with a certificate it speaks TLS, and says so to browsers', async (test) => {
  const folder = t.testdir({})
  const tls = { certFile: `${folder}/cert.pem`, keyFile: `${folder}/key.pem` }
  const subject = ['-subj', '/CN=localhost', '-days', '1', '-nodes', '-newkey', 'rsa:2048']
  execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', tls.keyFile, '-out', tls.certFile], { stdio: 'pipe' })
  const { port, raw } = await startApi(test, { tls })
  const agent = new Agent({ rejectUnauthorized: false })
  test.teardown(() => agent.destroy())
  const sent = request({
    port,
    path: '/api/v1/backup',
    agent,
    headers: { authorization: `Token ${facts.tokens.admin2}` },
  })
  sent.end()
  const [answer] = await once(sent, 'response')
  test.equal(answer.statusCode, 200)
  test.equal(answer.headers['strict-transport-security'], 'max-age=31536000; includeSubDomains')
  answer.resume()
  test.equal(await raw('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'), '', 'plain HTTP is not answered')
  writeFileSync(tls.certFile, 'no certificate')
  for (const files of [tls, { ...tls, keyFile: `${folder}/missing.pem` }]) {
    test.throws(() => createServer(new Koa(), { tls: files, readTimeoutMs: 1000, idleTimeoutMs: 1000 }), {
      code: 'CONFIG_INVALID',
      message: /TLS configuration error: .*server\.tls_cert_file/,
    })
  }
})

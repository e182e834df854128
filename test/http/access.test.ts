import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { adminToken, facts } from '../support/fixture.js'
import { as, startApi } from './scene.js'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const group = '/api/v1/backup'

t.test('a credential may stand where Arc looks for it, and hides the places after it', async (t) => {
  const { call, engine } = await startApi(t)
  const status = async (headers: Record<string, string>, query = '') =>
    (await call('GET', `${group}${query}`, { headers })).status
  t.equal(await status({ authorization: `Bearer ${adminToken}` }), 200)
  t.equal(await status({ authorization: `Token ${adminToken}` }), 200)
  t.equal(await status({ authorization: adminToken }), 200)
  t.equal(await status({ authorization: `bearer ${adminToken}` }), 401)
  t.equal(await status({ authorization: 'Basic eDp5', 'x-api-key': adminToken }), 401)
  t.equal(await status({ authorization: 'Bearer ', 'x-api-key': adminToken }), 401)
  t.equal(await status({ 'x-api-key': adminToken }), 200)
  t.equal(await status({ 'x-api-key': 'bad' }, `?p=${adminToken}`), 401)
  t.equal(await status({}, `?p=${adminToken}`), 200)
  t.equal(await status({}, `?x=1&p=${adminToken}&p=other`), 200, 'the first counts')
  t.equal(await status({}, `?P=${adminToken}`), 401)
  t.equal(await status({}, `?token=${adminToken}`), 401)
  t.equal(await status({ cookie: `token=${adminToken}` }), 401)
  t.equal(await status({}, '?p=%zz%00'), 401)
  await call('POST', group, as(adminToken))
  t.same(engine.asked[0]?.caller, { name: 'admin', credential: sha256(adminToken) })
})

t.test('who may call is settled before what is called', async (t) => {
  const { call } = await startApi(t)
  const none = { headers: {} }
  t.equal((await call('GET', '/api/v1/nothing', none)).status, 401)
  t.equal((await call('GET', '/nothing', none)).status, 401)
  t.equal((await call('PUT', group, none)).status, 401)
  t.equal((await call('GET', '/api/v1/nothing', as(facts.tokens.reader))).status, 404)
  for (const path of ['', '/', '/xyz', '/status', '/x/y', '/..%2f', '/%2fx']) {
    t.equal((await call('PUT', `${group}${path}`, as(facts.tokens.reader))).status, 403, path)
  }
  t.equal((await call('GET', group.toUpperCase(), as(facts.tokens.reader))).status, 403)
})

t.test("Arc's public paths need no token, and no other path is one of them", async (t) => {
  const { call, raw } = await startApi(t)
  const none = { headers: {} }
  for (const path of ['/health', '/health/', '/ready', '/metrics', '/openapi.json'])
    t.equal((await call('GET', path, none)).status, 200, path)
  const notServed = ['/metrics/x', '/api/v1/metrics', '/api/v1/metrics/y', '/api/v1/auth/verify']
  for (const path of notServed) t.equal((await call('GET', path, none)).status, 404, path)
  for (const path of ['/metricsx', '/healthy', '/HEALTH', '/api/v1/auth/verify/x', '/api/v1/auth']) {
    t.equal((await call('GET', path, none)).status, 401, path)
  }
  // What a parser of URLs would make of these must not be what lets them in.
  for (const target of [
    '/health/../api/v1/backup',
    '/metrics/../api/v1/backup/status',
    '/api/v1/backup#/../../../../health',
    '/api/v1/backup?/../../../../health',
    '/api/v1/backup;/../health',
    '/api/v1/backup/../../../healthx',
    '/api/v1/backup\\..\\..\\..\\health',
    'http://x/api/v1/backup',
    'http://health/api/v1/backup',
    'http:///health/../api/v1/backup',
    '*',
  ]) {
    const answer = await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 (400|401|404) /, target)
  }
  // This one is the health page for every parser; the rest of it counts for nobody.
  const fragment = 'GET http://x/health#@y/../api/v1/backup/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
  t.match(await raw(fragment), /^HTTP\/1\.1 200 [\s\S]*"uptime"/)
  t.match(await raw('GET //health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 404 /)
})

t.test('who began an operation may read its status when the token is gone, and nothing else', async (t) => {
  const { call, engine, folder } = await startApi(t)
  const gone = 'a-token-that-the-restore-removed'
  t.equal((await call('GET', `${group}/status`, as(gone))).status, 401)
  engine.credential = sha256(gone)
  t.equal((await call('GET', `${group}/status`, as(gone))).status, 200)
  t.equal((await call('GET', `${group}/STATUS/`, as(gone))).status, 200)
  t.equal((await call('HEAD', `${group}/status`, as(gone))).status, 200)
  t.equal((await call('GET', `${group}/status?p=${gone}`, { headers: {} })).status, 200)
  const others = [
    ['GET', ''],
    ['POST', ''],
    ['POST', '/restore'],
    ['POST', '/cancel'],
    ['POST', '/status'],
    ['DELETE', '/status'],
    ['PUT', '/status'],
    ['GET', '/backup-20261123-103045-c526b8a7'],
    ['DELETE', '/backup-20261123-103045-c526b8a7'],
    ['GET', '/x/../status'],
    ['GET', '/status/x'],
  ] as const
  for (const [method, path] of others) {
    // fetch itself resolves `..`: written so that it does not.
    const sent = path.replace('..', '%2e%2e%2f')
    t.equal((await call(method, `${group}${sent}`, as(gone))).status, 401, `${method} ${path}`)
  }
  t.equal((await call('GET', `${group}/status`, as('another'))).status, 401)
  t.equal((await call('GET', `${group}/status`, { headers: {} })).status, 401)
  engine.credential = sha256(facts.tokens.reader ?? '')
  t.equal((await call('GET', `${group}/status`, as(facts.tokens.reader))).status, 200, 'no longer an admin')
  t.equal((await call('GET', group, as(facts.tokens.reader))).status, 403)
  writeFileSync(`${folder}/data/arc.db`, 'this is not SQLite'.repeat(100))
  t.equal((await call('GET', `${group}/status`, as(facts.tokens.reader))).status, 200, "the database can't be read")
  const refused = await call('GET', group, as(facts.tokens.reader))
  t.equal(refused.status, 503)
  t.match(refused.json.error, /cannot check tokens/)
})

t.test('more bad tokens than can be checked are sent away, and told when to come back', async (t) => {
  const { call, folder } = await startApi(t)
  const arc = new Database(`${folder}/data/arc.db`)
  // A row from before there were prefixes makes each bad token cost a hash; this one takes about 20 ms.
  const hash = `$pbkdf2-sha256$100000$${'A'.repeat(22)}$${'A'.repeat(43)}`
  arc.prepare("UPDATE api_tokens SET token_prefix = '__legacy__', token_hash = ? WHERE name = 'admin'").run(hash)
  arc.close()
  const answers = await Promise.all(
    Array.from({ length: 150 }, (_, index) => call('GET', group, as(`a-bad-token-${index}`))),
  )
  const statuses = new Set(answers.map(({ status }) => status))
  t.same([...statuses].sort(), [401, 429])
  const sentAway = answers.find(({ status }) => status === 429)
  t.match(sentAway?.json, { error: /Too many/ })
  t.match(sentAway?.headers.get('retry-after'), /^\d+$/)
})

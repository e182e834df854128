import t from 'tap'
import { facts } from '../support/fixture.js'
import { as, startApi } from './scene.js'

/** Where an answer differs from Arc's on purpose: what is unknown is not there, and no failure. */
const different: Record<string, [status: number, body: string]> = {
  'delete unknown': [404, '{"error":"Backup not found"}'],
}

const tokens: Record<string, string | undefined> = { 'bad token': 'nonsense', reader: facts.tokens.reader }
const bodies: Record<string, string | undefined> = {
  'restore bad json': '{"backup_id":',
  'restore no id': '{"confirm":true}',
  'restore no confirm': '{"backup_id":"backup-20261123-103045-c526b8a7"}',
  'restore confirm string': '{"backup_id":"backup-20261123-103045-c526b8a7","confirm":"true"}',
}

t.test('every probe gets the answer that Arc gave', async (t) => {
  const { call, engine } = await startApi(t)
  t.ok(Object.keys(facts.probes).length >= 14)
  for (const [name, [method, path, status, body]] of Object.entries(facts.probes)) {
    const token = name in tokens ? tokens[name] : facts.tokens.bootstrap_admin
    const sent = bodies[name]
    const answer = await call(method, path, {
      headers: {
        ...(name !== 'no token' && as(token).headers),
        ...(sent !== undefined && { 'content-type': 'application/json' }),
      },
      ...(sent !== undefined && { body: sent }),
    })
    const [expectedStatus, expectedBody] = different[name] ?? [status, body]
    t.equal(answer.status, expectedStatus, name)
    // Ours says more where Arc only says that a body is invalid.
    const { detail: _detail, code: _code, hint: _hint, request_id: _id, ...arcs } = answer.json
    t.equal(JSON.stringify(arcs), JSON.stringify(JSON.parse(expectedBody)), name)
    if (!('detail' in answer.json)) t.equal(answer.arcs, expectedBody, `${name}: the same bytes`)
    t.equal(answer.headers.get('content-type'), 'application/json', name)
  }
  t.same(engine.asked, [])
  t.same(engine.deleted, [])
})

t.test('every token gets the verdict that Arc gave', async (t) => {
  const { call } = await startApi(t)
  for (const [name, verdict] of Object.entries(facts.verdicts_of_GET_backup)) {
    t.equal((await call('GET', '/api/v1/backup', as(facts.tokens[name]))).status, verdict, name)
  }
})

t.test('without authentication everything is open, and nobody has a name', async (t) => {
  const { call, engine } = await startApi(t, { auth: false })
  t.equal((await call('GET', '/api/v1/backup', { headers: {} })).status, 200)
  t.equal((await call('GET', '/api/v1/nothing', { headers: {} })).status, 404)
  t.equal((await call('POST', '/api/v1/backup', { headers: {} })).status, 202)
  t.same(engine.asked[0]?.caller, { name: 'anonymous', credential: null })
})

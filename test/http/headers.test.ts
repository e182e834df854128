import t from 'tap'
import { adminToken } from '../support/fixture.js'
import { startApi } from './scene.js'

const security = {
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'x-xss-protection': '1; mode=block',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'permissions-policy': /geolocation=\(\)/,
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'x-request-id': /^[0-9a-f-]{36}$/,
}
const authorization = `Bearer ${adminToken}`

t.test('every answer has the security headers and an id of its own', async (t) => {
  const { call, engine } = await startApi(t)
  const ids = new Set<string | null>()
  const requests: [method: string, path: string, headers: Record<string, string>, status: number][] = [
    ['GET', '/health', {}, 200],
    ['GET', '/api/v1/backup', {}, 401],
    ['GET', '/api/v1/backup', { authorization }, 200],
    ['GET', '/nothing', { authorization }, 404],
    ['PUT', '/api/v1/backup', { authorization }, 405],
    ['POST', '/api/v1/backup', { authorization }, 500],
    ['OPTIONS', '/api/v1/backup', { Origin: 'http://x', 'Access-Control-Request-Method': 'GET' }, 204],
  ]
  for (const [method, path, headers, status] of requests) {
    if (status === 500) engine.failure = new Error('a bug')
    const answer = await call(method, path, { headers: { ...headers, 'x-request-id': 'chosen by the client' } })
    t.equal(answer.status, status)
    t.match(Object.fromEntries(answer.headers), security, `${status}`)
    for (const name of ['server', 'x-powered-by', 'strict-transport-security', 'access-control-allow-credentials']) {
      t.notOk(answer.headers.has(name), name)
    }
    ids.add(answer.headers.get('x-request-id'))
  }
  t.equal(ids.size, requests.length)
})

t.test('a browser may ask beforehand without a token; other OPTIONS may not', async (t) => {
  const { call } = await startApi(t)
  const asked = { Origin: 'http://x', 'Access-Control-Request-Method': 'DELETE' }
  const answer = await call('OPTIONS', '/api/v1/backup/xyz', { headers: asked })
  t.equal(answer.status, 204)
  t.equal(answer.text, '')
  t.match(Object.fromEntries(answer.headers), {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET,POST,PUT,DELETE,OPTIONS',
    'access-control-allow-headers':
      'Origin,Content-Type,Accept,Authorization,x-api-key,x-arc-database,Content-Encoding',
  })
  t.equal((await call('OPTIONS', '/api/v1/backup', { headers: { Origin: 'http://x' } })).status, 401)
  const withoutOrigin = { 'Access-Control-Request-Method': 'GET' }
  t.equal((await call('OPTIONS', '/api/v1/backup', { headers: withoutOrigin })).status, 401)
  t.equal((await call('OPTIONS', '/api/v1/backup', { headers: { authorization } })).status, 405)
})

t.test('answers to a page of another origin may be read, refusals too; others say nothing of origins', async (t) => {
  const { call } = await startApi(t)
  for (const headers of [{}, { authorization }] as Record<string, string>[]) {
    const fromPage = await call('GET', '/api/v1/backup', { headers: { ...headers, Origin: 'http://x' } })
    t.equal(fromPage.headers.get('access-control-allow-origin'), '*')
    t.notOk(fromPage.headers.has('access-control-allow-methods'))
    t.notOk((await call('GET', '/api/v1/backup', { headers })).headers.has('access-control-allow-origin'))
  }
})

import t from 'tap'
import { adminToken, facts } from '../support/fixture.js'
import { startApi } from './scene.js'

const path = '/api/v1/backup/limits'

t.test('the limits, and a change of the one that can be changed', async (t) => {
  const { call, engine } = await startApi(t)
  const patch = (body: string) =>
    call('PATCH', path, {
      body,
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    })
  const none = { bandwidth_limit: null, bandwidth_limit_bytes: null }
  const others = { memory_limit_bytes: 2 ** 30, priority: 'normal', workers: 2 }
  t.strictSame((await call('GET', path)).json, { ...none, ...others })
  const set = { bandwidth_limit: '1.5MB/s', bandwidth_limit_bytes: 1_500_000 }
  t.strictSame((await patch('{"bandwidth_limit": "1500 KB/s"}')).json, { ...set, ...others })
  t.equal(engine.bandwidth, 1_500_000)
  for (const body of ['{"bandwidth_limit": "fast"}', '{"bandwidth_limit": 1000}', '{"bandwidth_limit": "1B/s"}']) {
    const refused = await patch(body)
    t.match([refused.status, refused.json.error], [400, /bandwidth_limit must be a rate such as "200MB\/s"/], body)
  }
  for (const body of ['', '{}', '{"memory_limit": "1GiB"}']) {
    t.match(await patch(body), { status: 400, json: { error: /must have bandwidth_limit, the only limit/ } }, body)
  }
  t.equal(engine.bandwidth, 1_500_000)
  for (const body of ['{"bandwidth_limit": null}', '{"Bandwidth_Limit": "none"}']) {
    engine.bandwidth = 1
    t.match((await patch(body)).json, none, body)
  }
})

t.test('for admins only, and by no other method', async (t) => {
  const { call, engine } = await startApi(t)
  for (const method of ['GET', 'PATCH']) {
    t.equal((await call(method, path, { headers: {} })).status, 401, method)
    t.equal(
      (await call(method, path, { headers: { authorization: `Bearer ${facts.tokens.reader}` } })).status,
      403,
      method,
    )
  }
  t.equal(engine.bandwidth, null)
  const wrong = await call('POST', path)
  t.match([wrong.status, wrong.headers.get('allow')], [405, 'GET, HEAD, DELETE, PATCH'])
})

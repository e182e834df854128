import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { OperationStatus } from '../../src/engine/operation.js'
import { listen } from '../support/events.js'
import { adminToken, facts } from '../support/fixture.js'
import { as, running, startApi } from './scene.js'

const path = '/api/v1/backup/events'
const done = { ...running, status: 'completed', outcome: 'completed', phase: 'done' } as const

t.test('events as the standard has them, to admins only', async (t) => {
  const { url, engine, call } = await startApi(t)
  t.equal((await call('GET', path, { headers: {} })).status, 401)
  t.equal((await call('GET', path, as(facts.tokens.reader))).status, 403)
  engine.current = running
  const stream = await listen(url + path, as(adminToken).headers)
  t.equal(stream.status, 200)
  t.match(Object.fromEntries(stream.headers), {
    'content-type': /^text\/event-stream/,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  const first = await stream.until(({ event }) => event === 'phase')
  t.equal(first.id, `${running.operationId}.copying.12.4000`)
  t.same(first.data, (await call('GET', '/api/v1/backup/status')).json, 'what the status says')
  engine.current = { ...running, processedBytes: 5000 }
  t.match(await stream.until(({ event }) => event === 'progress'), { data: { processed_bytes: 5000 } })
  engine.current = { ...done, status: 'failed', outcome: 'cancelled' }
  t.match(await stream.until(({ event }) => event === 'failed'), { data: { outcome: 'cancelled' } })
  stream.close()
  const { id } = first
  const again = await listen(url + path, { ...as(adminToken).headers, 'last-event-id': id })
  t.match(await again.until(() => true), { event: 'failed' }, 'what it missed')
  again.close()
  t.equal((await call('HEAD', path)).status, 200)
})

t.test('four a second at most, and each the newest there is', async (t) => {
  const { url, engine } = await startApi(t)
  let bytes = 0
  engine.status = () => null
  engine.live = (): OperationStatus[] => {
    bytes += 1
    return [{ ...running, processedBytes: bytes }]
  }
  const stream = await listen(url + path, as(adminToken).headers)
  await stream.until(() => stream.events.length === 9)
  stream.close()
  const times = stream.events.map(({ at }) => at)
  t.ok((times[8] ?? 0) - (times[0] ?? 0) > 1200, 'nine take two seconds')
  t.equal(new Set(stream.events.map(({ id }) => id)).size, 9)
})

t.test('a silent stream says that it lives, and ends after a while', async (t) => {
  const { url } = await startApi(t, { feed: { heartbeatMs: 300, lifetimeMs: 2000 } })
  const stream = await listen(url + path, as(adminToken).headers)
  t.equal(await stream.ended, undefined, 'ended, not broken')
  t.ok(stream.comments.length >= 2)
  t.same(stream.events, [])
})

t.test('who does not read is dropped, and nothing is kept for him', async (t) => {
  const { url, port, engine, call } = await startApi(t, { feed: { patienceMs: 1000 } })
  // The token is known then: it takes its time the first time.
  await call('GET', '/api/v1/backup')
  let asked = 0
  engine.live = () => {
    asked += 1
    // More than the kernel keeps for a connection.
    return [{ ...running, processedBytes: asked, warnings: ['x'.repeat(8 << 20)] }]
  }
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\n\r\n`)
  while (asked === 0) await sleep(5)
  await sleep(2000)
  const before = asked
  t.ok(before > 0)
  await sleep(700)
  t.equal(asked, before, 'it is not asked what is new for who does not take it')
  let received = 0
  socket.on('data', (chunk) => {
    received += chunk.length
  })
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  t.ok(received < 32 << 20)
  t.match(await fetch(`${url}/health`), { status: 200 })
})

t.test('an answer that waits for another phase, or for a quarter of a second of progress', async (t) => {
  const { call, engine } = await startApi(t)
  const status = async (query: string) => {
    const began = performance.now()
    const { json } = await call('GET', `/api/v1/backup/status?${query}`)
    return { json, took: performance.now() - began }
  }
  t.same((await status('wait=0s')).json, { status: 'idle' })
  t.ok((await status('wait=300ms')).took >= 295, 'nothing changed')
  const waiting = status('wait=30s')
  await sleep(300)
  engine.current = running
  t.match((await waiting).json, { phase: 'copying', event_id: `${running.operationId}.copying.12.4000` })
  t.ok((await status('wait=10s&since=')).took < 5000, 'another than none')
  const since = (await status('')).json.event_id
  engine.current = { ...running, processedBytes: 4001 }
  const later = await status(`wait=30s&since=${since}`)
  t.match(later.json, { processed_bytes: 4001 })
  t.ok(later.took >= 245 && later.took < 10_000, 'progress alone is no reason for haste')
  engine.current = done
  t.match((await status(`wait=30s&since=${later.json.event_id}`)).json, { status: 'completed' })
  for (const query of ['wait=30', 'wait=s', 'wait=61s', 'wait=2m', 'wait=-1s', 'wait=1h', 'wait=1s&wait=1s']) {
    const answer = await call('GET', `/api/v1/backup/status?${query}`)
    t.match(answer, { status: 400, json: { error: 'wait must be a time like 30s, at most 60s' } }, query)
  }
})

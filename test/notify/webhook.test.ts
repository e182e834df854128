import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import t from 'tap'
import { signatureHeaders } from '../../src/notify/signature.js'
import { Webhook } from '../../src/notify/webhook.js'
import { news, openLog, receive } from './scene.js'

const secret = 'SENTINEL-secret-of-the-webhook'
const waits = [1, 1, 1]

t.test('what is sent is signed, says what happened, and is sent once where it is taken', async (t) => {
  const { received, url } = await receive(t, 204)
  const { lines, log } = openLog()
  const webhook = new Webhook({ url, secret, timeoutMs: 5000 }, log, waits)
  await webhook.send(news)
  webhook.close()
  t.equal(received.length, 1)
  const [{ method, path, headers, body }] = received as [(typeof received)[number]]
  t.same([method, path, headers['content-type']], ['POST', '/arc?key=SENTINEL', 'application/json'])
  t.match(JSON.parse(body), { type: 'backup.completed', timestamp: news.at, host: String, data: news.operation })
  const at = Number(headers['webhook-timestamp']) * 1000
  t.ok(Math.abs(Date.now() - at) < 60_000)
  t.match(headers, signatureHeaders(secret, 'op_0123456789ab', at, body))
  t.notMatch(
    headers['webhook-signature'],
    signatureHeaders(secret, 'op_0123456789ab', at, `${body} `)['webhook-signature'],
  )
  t.notMatch(JSON.stringify(lines), 'SENTINEL')
})

t.test('what is not taken is sent again under the same id, and redirects are not followed', async (t) => {
  const { received, url } = await receive(t, 500, 302, 404, 200)
  const { lines, log } = openLog()
  const webhook = new Webhook({ url, secret, timeoutMs: 5000 }, log, waits)
  await webhook.send(news)
  webhook.close()
  t.same(
    received.map(({ path, headers }) => [path, headers['webhook-id']]),
    Array(4).fill(['/arc?key=SENTINEL', 'op_0123456789ab']),
  )
  t.same(
    lines.map(({ level, attempt, message }) => [level, attempt, message]),
    [
      [40, 1, 'the webhook answered 500'],
      [40, 2, 'the webhook answered 302'],
      [40, 3, 'the webhook answered 404'],
      [20, 4, 'the webhook was told'],
    ],
  )
  t.notMatch(JSON.stringify(lines), 'SENTINEL')
})

t.test('who never takes it is given up, with the reason and without the address', async (t) => {
  const { received, url } = await receive(t, 503)
  const { lines, log } = openLog()
  const webhook = new Webhook({ url, secret, timeoutMs: 5000 }, log, waits)
  await webhook.send(news)
  t.equal(received.length, 4)
  t.equal(lines.at(-1)?.message, 'the webhook answered 503, and is given up')
  const silent = await receive(t, 0)
  await new Webhook({ url: silent.url, secret, timeoutMs: 50 }, log, []).send(news)
  t.equal(lines.at(-1)?.message, 'the webhook did not answer in 50 ms, and is given up')
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  await new Webhook({ url: `http://127.0.0.1:${port}/SENTINEL`, secret, timeoutMs: 5000 }, log, []).send(news)
  t.equal(lines.at(-1)?.message, 'the webhook was not reached: ECONNREFUSED, and is given up')
  t.notMatch(JSON.stringify(lines), 'SENTINEL')
})

t.test('closed, it gives up what is under way or waits', async (t) => {
  const { lines, log } = openLog()
  for (const codes of [[500], [0]]) {
    const { received, url } = await receive(t, ...codes)
    const webhook = new Webhook({ url, secret, timeoutMs: 60_000 }, log, [60_000])
    const sent = webhook.send(news)
    while (received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    webhook.close()
    await sent
    t.equal(lines.at(-1)?.message, 'the webhook was not told before the end of this process')
  }
})

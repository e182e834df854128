import { once } from 'node:events'
import { request } from 'node:http'
import t from 'tap'
import { startApi } from './scene.js'

/** `fetch` sets `Host` itself. */
async function ask(
  port: number,
  method: string,
  headers: Record<string, string>,
): Promise<[number, string | undefined]> {
  const sent = request({
    port,
    host: '127.0.0.1',
    method,
    path: '/api/v1/backup',
    headers: { Connection: 'close', ...headers },
  })
  sent.end()
  const [answer] = await once(sent, 'response')
  answer.resume()
  return [answer.statusCode, answer.headers['access-control-allow-origin']]
}

t.test('without authentication no page of another origin may do anything, under no name', async (t) => {
  const { port, engine } = await startApi(t, { auth: false })
  const own = `127.0.0.1:${port}`
  const attacks: Record<string, string>[] = [
    { Origin: 'http://evil.example' },
    { Origin: 'null' },
    { Origin: `http://127.0.0.1:${port + 1}` },
    { Origin: 'http://localhost' },
    { 'Sec-Fetch-Site': 'cross-site' },
    // A name of the attacker's that was made to point to this machine.
    { Host: `evil.example:${port}`, Origin: `http://evil.example:${port}` },
    { Host: `evil.example:${port}` },
    { Host: 'localhost.evil.example' },
  ]
  for (const headers of attacks) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      t.strictSame(
        await ask(port, method, { Host: own, ...headers }),
        [403, undefined],
        `${method} ${JSON.stringify(headers)}`,
      )
    }
  }
  const before = { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'DELETE' }
  t.strictSame(await ask(port, 'OPTIONS', { Host: own, ...before }), [403, undefined], 'a question before a request')
  t.same(engine.asked, [])
  const right: Record<string, string>[] = [
    {},
    { Origin: `http://${own}`, 'Sec-Fetch-Site': 'same-origin' },
    { Origin: `https://${own}` },
    { Host: 'LOCALHOST:1' },
    { Host: '[::1]:8010', Origin: 'http://[::1]:8010' },
  ]
  for (const headers of right) {
    t.strictSame(await ask(port, 'POST', { Host: own, ...headers }), [202, undefined], JSON.stringify(headers))
  }
})

t.test('where others may reach it, it may have a name', async (t) => {
  const { port } = await startApi(t, { auth: false, isLocal: false })
  const Host = 'arc.internal:8010'
  t.strictSame(await ask(port, 'POST', { Host }), [202, undefined])
  t.strictSame(await ask(port, 'POST', { Host, Origin: `http://${Host}` }), [202, undefined])
  t.strictSame(await ask(port, 'POST', { Host, Origin: 'http://evil.example' }), [403, undefined])
})

t.test('with authentication a page needs a token, and no more', async (t) => {
  const { port } = await startApi(t)
  t.strictSame(await ask(port, 'POST', { Host: 'arc.internal', Origin: 'http://x' }), [401, '*'])
})

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import Koa from 'koa'
import t from 'tap'
import { createServer } from '../../src/http/server.js'
import { Authority, type Certificate } from '../support/certificates.js'
import { adminToken } from '../support/fixture.js'
import { startApi } from './scene.js'

const folder = t.testdir({})
const [ours, others] = [new Authority(folder), new Authority(`${folder}/others`)]
const server = ours.sign('server')
const clients = { good: ours.sign('client'), strangers: others.sign('client'), old: ours.sign('old', 0), none: null }
// A certificate of 0 days ends within the second that it began in.
await sleep(1100)

const ask = async (
  port: number,
  client: Certificate | null,
  agent?: Agent,
  reused: boolean[] = [],
): Promise<number | string> => {
  const ca = readFileSync(ours.certFile)
  const shown = client && { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) }
  const headers = { authorization: `Bearer ${adminToken}` }
  const sent = request({
    host: '127.0.0.1',
    port,
    path: '/api/v1/backup',
    ca,
    agent: agent ?? false,
    headers,
    ...shown,
  })
  sent.once('socket', (socket: TLSSocket) => socket.once('secureConnect', () => reused.push(socket.isSessionReused())))
  sent.end()
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return answer.statusCode ?? 0
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
const refused = /^(ECONNRESET|ERR_SSL_|EPIPE)/

t.test('required: nobody without a certificate of the authority', async (t) => {
  const { port, log } = await startApi(t, { tls: { ...server, clients: { caFile: ours.certFile, required: true } } })
  t.equal(await ask(port, clients.good), 200)
  for (const name of ['strangers', 'old', 'none'] as const) t.match(await ask(port, clients[name]), refused, name)
  t.same(log, [], 'what was refused has asked for nothing')
})

t.test('requested: none is well, a wrong one is not', async (t) => {
  const { port } = await startApi(t, { tls: { ...server, clients: { caFile: ours.certFile, required: false } } })
  t.equal(await ask(port, clients.good), 200)
  t.equal(await ask(port, clients.none), 200)
  for (const name of ['strangers', 'old'] as const) t.match(await ask(port, clients[name]), refused, name)
})

t.test('a session that is taken up again needs the certificate that it began with', async (t) => {
  const { port } = await startApi(t, { tls: { ...server, clients: { caFile: ours.certFile, required: true } } })
  const agent = new Agent({ maxCachedSessions: 10 })
  t.teardown(() => agent.destroy())
  const reused: boolean[] = []
  t.equal(await ask(port, clients.good, agent, reused), 200)
  t.equal(await ask(port, clients.good, agent, reused), 200)
  t.same(reused, [false, true], 'it is taken up')
  for (const name of ['strangers', 'old', 'none'] as const) {
    const own = new Agent({ maxCachedSessions: 10 })
    t.teardown(() => own.destroy())
    for (const turn of [1, 2, 3]) t.match(await ask(port, clients[name], own), refused, `${name}, ${turn}`)
  }
})

t.test('a file without a certificate is an error at start: it would keep everyone out, or no one', async (t) => {
  for (const text of ['', 'no certificate', null]) {
    const caFile = `${folder}/broken.pem`
    if (text !== null) writeFileSync(caFile, text)
    const tls = { ...server, clients: { caFile: text === null ? `${folder}/missing.pem` : caFile, required: true } }
    t.throws(() => createServer(new Koa(), { tls, readTimeoutMs: 1000, idleTimeoutMs: 1000 }), {
      code: 'CONFIG_INVALID',
      message: /backup\.tls_client_ca_file/,
    })
  }
})

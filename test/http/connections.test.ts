import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Koa from 'koa'
import t, { type Test } from 'tap'
import { createServer } from '../../src/http/server.js'
import { adminToken } from '../support/fixture.js'
import { startApi } from './scene.js'

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\n\r\n`

/** A client that takes what comes, until it is sent away; the test ends it. */
function open(t: Test, port: number): Socket & { received: string } {
  const socket = Object.assign(connect(port, '127.0.0.1'), { received: '' })
  socket.on('error', () => {}).setEncoding('latin1')
  socket.on('data', (text: string) => {
    socket.received += text
  })
  t.teardown(() => socket.destroy())
  return socket
}

async function sentAway(socket: { closed: boolean }): Promise<void> {
  for (const end = performance.now() + 10_000; !socket.closed && performance.now() < end; ) await sleep(2)
}

async function answered(socket: { received: string; closed: boolean }, what: string): Promise<void> {
  while (!socket.received.includes(what)) {
    if (socket.closed) throw new Error(`closed without ${what}: ${socket.received.slice(0, 200)}`)
    await sleep(2)
  }
}

t.test('2,000 who say nothing and 500 who never finish keep nobody out', async (t) => {
  const { call, port } = await startApi(t)
  const silent = Array.from({ length: 2000 }, () => open(t, port))
  await Promise.all(silent.map((socket) => once(socket, 'connect')))
  t.equal((await call('GET', '/api/v1/backup')).status, 200)
  const slow = Array.from({ length: 500 }, () => open(t, port))
  await Promise.all(slow.map((socket) => once(socket, 'connect')))
  let letters = 0
  const drip = setInterval(() => {
    for (const socket of slow) socket.write((letters < 24 ? get('/health') : 'x')[letters % 24] ?? 'x')
    letters += 1
  }, 20)
  const began = performance.now()
  for (let turn = 0; turn < 20; turn += 1) {
    t.equal((await call('GET', '/api/v1/backup', {})).status, 200)
    await sleep(10)
  }
  clearInterval(drip)
  t.ok(performance.now() - began < 20_000)
  const left = (): number => silent.filter((socket) => !socket.closed).length
  // They learn of it one after another, in the thread that has also sent all of the above.
  for (const end = performance.now() + 10_000; left() > 1024 && performance.now() < end; ) await sleep(10)
  t.ok(left() <= 1024, `${left()} are left`)
})

t.test('the one that was of no use for longest goes, one that waits for an answer never', async (t) => {
  const app = new Koa()
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let slow = 0
  app.use(async (ctx) => {
    if (ctx.path === '/slow') {
      slow += 1
      await held
    }
    ctx.body = ctx.path
  })
  const server = createServer(
    app,
    { tls: null, readTimeoutMs: 30_000, idleTimeoutMs: 30_000 },
    { connections: 3, takeMs: 30_000 },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const come = async (path?: string) => {
    const socket = open(t, port)
    await once(socket, 'connect')
    const before = slow
    if (path) socket.write(get(path))
    if (path === '/quick') await answered(socket, '/quick')
    while (path === '/slow' && slow === before) await sleep(2)
    return socket
  }
  const [waiting, used, silent] = [await come('/slow'), await come('/quick'), await come()]
  used.received = ''
  used.write(get('/again'))
  await answered(used, '/again')
  const next = await come('/quick')
  await sentAway(silent)
  t.same([silent.closed, used.closed, waiting.closed, next.closed], [true, false, false, false])
  const last = await come('/quick')
  await sentAway(used)
  t.same([used.closed, waiting.closed, next.closed, last.closed], [true, false, false, false])
  const more = [await come('/slow'), await come('/slow')]
  await Promise.all([next, last].map(sentAway))
  t.same([next.closed, last.closed], [true, true])
  const beyond = await come()
  await sentAway(beyond)
  t.same(
    [beyond.closed, waiting.closed, ...more.map((one) => one.closed)],
    [true, false, false, false],
    'no room at all',
  )
  release()
  await Promise.all([waiting, ...more].map((socket) => answered(socket, '/slow')))
})

t.test('who leaves an answer where it is, is sent away; who waits for one is not', async (t) => {
  const app = new Koa()
  app.use(async (ctx) => {
    if (ctx.path === '/late') await sleep(500)
    ctx.body = ctx.path === '/late' ? 'late' : Buffer.alloc(32 << 20)
  })
  const limits = { connections: 100, takeMs: 200 }
  const server = createServer(app, { tls: null, readTimeoutMs: 30_000, idleTimeoutMs: 30_000 }, limits)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const stalled = connect(port, '127.0.0.1').on('error', () => {})
  t.teardown(() => stalled.destroy())
  const [served] = (await Promise.all([
    once(server, 'connection'),
    once(stalled, 'connect').then(() => stalled.write(get('/large'))),
  ]).then(([[socket]]) => [socket])) as [Socket]
  const patient = open(t, port)
  patient.write(get('/late'))
  await once(served, 'close')
  t.pass('the server has closed it')
  await answered(patient, 'late')
})

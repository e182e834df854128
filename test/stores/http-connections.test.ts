import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Answer, drain, textOf } from '../../src/stores/http-answer.js'
import { Stalled } from '../../src/stores/http-connection.js'
import { Connections } from '../../src/stores/http-connections.js'

interface Peer {
  readonly connections: Connections
  /** What came on each connection. */
  readonly said: string[]
  readonly sockets: Socket[]
}

/** A server on bare sockets, and our connections to it. @param onText gets all that came on a connection so far */
async function serve(t: Test, onText: (socket: Socket, text: string) => void, stallMs = 5000): Promise<Peer> {
  const said: string[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const index = sockets.push(socket) - 1
    said[index] = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      said[index] += String(bytes)
      onText(socket, said[index] ?? '')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connections = new Connections({ secure: false, host: '127.0.0.1', port }, stallMs)
  t.teardown(() => {
    connections.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { connections, said, sockets }
}

const get = { method: 'GET', path: '/x', headers: { host: 'h' } }
const put = (body: Buffer, headers: Record<string, string> = {}) => ({
  ...{ method: 'PUT', path: '/x', headers: { host: 'h', ...headers }, body },
})
const ok = (body: string, fields = ''): string =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`

t.test('one connection for one request after the other, another for those at the same time', async (t) => {
  const { connections, said } = await serve(t, (socket, text) => {
    if (text.endsWith('\r\n\r\n') || text.endsWith('body')) setTimeout(() => socket.write(ok('yes')), 20)
  })
  t.equal(await textOf(await connections.send(get)), 'yes')
  const answer = await connections.send(put(Buffer.from('body')))
  t.match(answer, { status: 200, headers: { 'content-length': '3' } })
  t.equal(await textOf(answer), 'yes')
  t.same(said, ['GET /x HTTP/1.1\r\nhost: h\r\n\r\nPUT /x HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody'])
  const answers = await Promise.all([1, 2, 3].map(() => connections.send({ ...get, method: 'PUT' })))
  await Promise.all(answers.map(drain))
  t.equal(said.length, 3)
  t.ok(said[2]?.includes('content-length: 0\r\n'), 'a body of nothing')
})

t.test('a connection that can not be used again is not', async (t) => {
  const answers = [ok('a', 'Connection: close\r\n'), `${ok('b')}and more`, 'HTTP/1.1 200 OK\r\n\r\nc', ok('d'), ok('e')]
  const { connections, sockets } = await serve(t, (socket) => {
    const answer = answers.shift() ?? ''
    socket.write(answer)
    if (answer.endsWith('\nc')) socket.end()
  })
  for (const expected of ['a', 'b', 'c', 'd', 'e']) {
    t.equal(await textOf(await connections.send(get)), expected)
  }
  t.equal(sockets.length, 4, 'd and e on one')
})

t.test('a server that ends a resting connection', async (t) => {
  const { connections, sockets } = await serve(t, (socket) => socket.write(ok('x')))
  await drain(await connections.send(get))
  sockets[0]?.end()
  await sleep(100)
  t.equal(await textOf(await connections.send(get)), 'x')
  t.equal(sockets.length, 2)
  sockets[1]?.write('HTTP/1.1 408 Request Timeout\r\n\r\n')
  await sleep(100)
  t.equal(await textOf(await connections.send(get)), 'x', 'what it says unasked is nobody’s answer')
  t.equal(sockets.length, 3)
})

t.test('cut, refused, or not HTTP', async (t) => {
  const answers = ['', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', 'HTTP/1.1 200 OK\r\nA: b']
  const { connections, sockets } = await serve(t, (socket) => socket.end(answers.shift() ?? ''))
  await t.rejects(connections.send(get), { code: 'ECONNRESET' })
  const cut = await connections.send(get)
  await t.rejects(textOf(cut), { code: 'ECONNRESET' })
  await t.rejects(connections.send(get), { code: 'ECONNRESET' })
  t.equal(sockets.length, 3)
  const { connections: others } = await serve(t, (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n\r\n'))
  await t.rejects(others.send(get), { code: 'HPE_MALFORMED' })
  const nobody = new Connections({ secure: false, host: '127.0.0.1', port: 1 }, 5000)
  await t.rejects(nobody.send(get), { code: 'ECONNREFUSED' })
})

t.test('a failure before anybody takes the body is its failure', async (t) => {
  const { connections } = await serve(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'))
  const answer = await connections.send(get)
  await sleep(100)
  await t.rejects(textOf(answer), { code: 'ECONNRESET' })
})

t.test('a server that stands still', async (t) => {
  const { connections } = await serve(
    t,
    (socket, text) => text.includes('/begun') && socket.write(ok('x').slice(0, -1)),
    200,
  )
  await t.rejects(connections.send(get), Stalled)
  const begun = await connections.send({ ...get, path: '/begun' })
  await t.rejects(drain(begun), Stalled)
})

t.test('who does not take what came does not make the server stand still', async (t) => {
  const size = 4 << 20
  const { connections } = await serve(t, (socket) => socket.write(ok('x'.repeat(size))), 200)
  const answer = await connections.send(get)
  let [taken, pieces] = [0, 0]
  const end = answer.take((bytes) => {
    taken += bytes.length
    pieces += 1
    // Not the first: the rest must be waiting when the time is over.
    return pieces !== 2
  })
  await sleep(700)
  t.ok(taken < size, `${taken} bytes, and no more until asked`)
  answer.resume()
  await end
  t.equal(taken, size)
})

t.test('the time that nobody took anything is not the server’s', async (t) => {
  const [first, rest] = [ok('x'.repeat(20)).slice(0, -10), 'x'.repeat(10)]
  const { connections, sockets } = await serve(t, (socket) => socket.write(first), 400)
  const answer = await connections.send(get)
  const end = answer.take(() => false)
  // The time is over at 1200 ms for the third time.
  await sleep(1100)
  answer.resume()
  await sleep(250)
  sockets[0]?.write(rest)
  await end
})

t.test('what arrives before anybody takes it is bounded', async (t) => {
  const size = 32 << 20
  let written = 0
  const { connections } = await serve(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    const piece = Buffer.alloc(1 << 16)
    const write = (): void => {
      while (written < size && socket.write(piece)) written += piece.length
      if (written < size) socket.once('drain', write)
    }
    write()
  })
  const before = process.memoryUsage().arrayBuffers
  const answer = await connections.send(get)
  await sleep(500)
  t.ok(written < size, `${written} bytes are sent, the rest waits`)
  t.ok(process.memoryUsage().arrayBuffers - before < 8 << 20)
  answer.destroy()
})

t.test('100-continue: a refusal costs no body, silence a second', async (t) => {
  const body = Buffer.from('the body')
  const expecting = put(body, { expect: '100-continue' })
  const refusing = await serve(t, (socket) => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'))
  const refused = await refusing.connections.send(expecting)
  await drain(refused)
  t.equal(refused.status, 403)
  await sleep(1200)
  t.notOk(refusing.said.join('').includes('the body'))
  await drain(await refusing.connections.send(expecting))
  t.equal(refusing.sockets.length, 2, 'the body is owed on the first one')
  const agreeing = await serve(t, (socket, text) =>
    socket.write(text.endsWith('the body') ? ok('') : 'HTTP/1.1 100 Continue\r\n\r\n'),
  )
  const began = Date.now()
  await drain(await agreeing.connections.send(expecting))
  t.ok(Date.now() - began < 900)
  const silent = await serve(t, (socket, text) => text.endsWith('the body') && socket.write(ok('')))
  await drain(await silent.connections.send(expecting))
})

t.test('an answer before all of the body went: it counts, the connection does not', async (t) => {
  const { connections, sockets } = await serve(t, (socket) => {
    socket.pause()
    socket.write('HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n')
  })
  const answer: Answer = await connections.send(put(Buffer.alloc(32 << 20)))
  t.equal(answer.status, 503)
  await drain(answer)
  await drain(await connections.send(put(Buffer.alloc(1))))
  t.equal(sockets.length, 2)
})

t.test('broken off by a signal, before and during', async (t) => {
  const { connections } = await serve(
    t,
    (socket, text) => text.includes('/begun') && socket.write(ok('x').slice(0, -1)),
  )
  const reason = new Error('enough')
  await t.rejects(connections.send({ ...get, signal: AbortSignal.abort(reason) }), reason)
  const stop = new AbortController()
  const answer = await connections.send({ ...get, path: '/begun', signal: stop.signal })
  stop.abort(reason)
  await t.rejects(drain(answer), reason)
})

t.test('no request can be smuggled into another, and a refused one costs no connection', async (t) => {
  const { connections, sockets } = await serve(t, (socket) => socket.write(ok('')))
  await drain(await connections.send(get))
  for (const bad of [
    { ...get, path: '/x HTTP/1.1\r\nA: b' },
    { ...get, path: '/ä' },
    { ...get, headers: { a: 'b\r\nc: d' } },
    { ...get, headers: { 'a b': 'c' } },
  ]) {
    await t.rejects(connections.send(bad), TypeError)
  }
  await drain(await connections.send(get))
  t.equal(sockets.length, 1)
})

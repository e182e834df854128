import { Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { adminToken } from '../support/fixture.js'
import { type Api, startApi } from './scene.js'

const limit = 1 << 20
const authorization = `Bearer ${adminToken}`
const tooLarge = '{"error":"Request Entity Too Large"}'

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream

function send({ call }: Api, body: Body, headers: Record<string, string> = {}, path = '/api/v1/backup') {
  return call('POST', path, { body, headers: { authorization, 'content-type': 'application/json', ...headers } })
}

/** A JSON object of exactly so many bytes. */
function objectOf(bytes: number): string {
  return `{"x":"${'y'.repeat(bytes - 8)}"}`
}

function streamOf(bytes: number): ReadableStream {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  const chunks = Array.from({ length: bytes / chunk.length }, () => chunk)
  return Readable.toWeb(Readable.from(chunks)) as ReadableStream
}

t.test('nothing is a body that asks for the defaults, whatever its type', async (t) => {
  const api = await startApi(t)
  for (const type of ['application/json', 'text/plain', 'nonsense', ';;;']) {
    t.equal((await send(api, '', { 'content-type': type })).status, 202, type)
    const chunked = `POST /api/v1/backup HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n`
    t.match(await api.raw(chunked), /^HTTP\/1\.1 202 /, `${type}, chunked`)
  }
  t.equal((await api.call('POST', '/api/v1/backup')).status, 202)
  for (const { request } of api.engine.asked) t.same(request, { includeMetadata: true })
})

t.test('what ends in json is JSON', async (t) => {
  const api = await startApi(t)
  for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.x+json', 'json ; x=y']) {
    t.equal((await send(api, '{}', { 'content-type': type })).status, 202, type)
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'multipart/form-data']) {
    const answer = await send(api, '{}', { 'content-type': type })
    t.equal(answer.status, 400, type)
    t.equal(answer.arcs, '{"error":"Invalid request body: send JSON (Content-Type: application/json)"}')
    const restore = await send(api, '{}', { 'content-type': type }, '/api/v1/backup/restore')
    t.match(restore, { status: 400, json: { error: 'Invalid request body', detail: /application\/json/ } })
  }
  t.equal(api.engine.asked.length, 4)
})

t.test('what is no JSON object is refused, and not quoted', async (t) => {
  const api = await startApi(t)
  const bodies = [' ', '{', '{"a":}', '{} {}', '[]', '[{}]', '1', '"secret"', '""', 'null', 'true', 'secret', '\0']
  for (const body of [...bodies, '['.repeat(100_000), '[['.repeat(50_000) + ']]'.repeat(50_000)]) {
    const name = body.slice(0, 20)
    const create = await send(api, body)
    t.equal(create.status, 400, name)
    t.equal(create.arcs, '{"error":"Invalid request body: it must be a JSON object"}', name)
    const restore = await send(api, body, {}, '/api/v1/backup/restore')
    t.equal(restore.status, 400, name)
    // Arc reads the JSON null as an object without fields.
    t.equal(restore.json.error, body === 'null' ? 'Invalid or missing backup_id' : 'Invalid request body', name)
    t.notMatch(restore.text, 'secret')
  }
  t.same(api.engine.asked, [])
})

t.test('1 MiB is read, a byte more is not', async (t) => {
  const api = await startApi(t)
  t.equal((await send(api, objectOf(limit))).status, 202)
  for (const path of ['/api/v1/backup', '/api/v1/backup/restore']) {
    for (const type of ['application/json', 'text/plain']) {
      const answer = await send(api, objectOf(limit + 1), { 'content-type': type }, path)
      t.equal(answer.status, 413, `${path} ${type}`)
      t.equal(answer.arcs, tooLarge)
    }
    const streamed = await send(api, streamOf(16 * limit), {}, path)
    t.equal(streamed.status, 413, `${path}, of no stated length`)
    t.equal(streamed.arcs, tooLarge)
  }
  t.equal((await send(api, '{}')).status, 202, 'it still answers')
  t.equal(api.engine.asked.length, 2)
})

t.test('a stated length beyond the limit is refused before it comes; one beyond 32 bits too', async (t) => {
  const api = await startApi(t)
  for (const length of [limit + 1, 2 ** 31, 2 ** 32 + 1]) {
    const head = `POST /api/v1/backup HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`
    t.match(await api.raw(head + 'x'.repeat(limit + 1)), /^HTTP\/1\.1 413 [\s\S]*Request Entity Too Large/, `${length}`)
  }
})

t.test('after a refused body the connection takes the next request', async (t) => {
  const api = await startApi(t)
  const common = `Host: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\n`
  for (const encoding of ['', 'Content-Encoding: gzip\r\n']) {
    const body = 'x'.repeat(3 * limit)
    const first = `POST /api/v1/backup HTTP/1.1\r\n${common}${encoding}Content-Length: ${body.length}\r\n\r\n${body}`
    const second = `GET /api/v1/backup/status HTTP/1.1\r\n${common}Connection: close\r\n\r\n`
    const received = await api.raw(first + second)
    t.match(received, /^HTTP\/1\.1 4(13|00) [\s\S]*HTTP\/1\.1 200 OK[\s\S]*"idle"/, encoding)
  }
})

t.test('a compressed body counts as what it unpacks to', async (t) => {
  const api = await startApi(t)
  const text = '{"include_config":false}'
  const pack: Record<string, (text: string) => Buffer> = {
    gzip: gzipSync,
    deflate: deflateSync,
    br: brotliCompressSync,
    identity: Buffer.from,
  }
  for (const [encoding, packed] of Object.entries(pack)) {
    const answer = await send(api, new Uint8Array(packed(text)), { 'content-encoding': encoding })
    t.equal(answer.status, 202, encoding)
    t.match(api.engine.asked.at(-1)?.request, { includeMetadata: true, includeConfig: false }, encoding)
  }
  const bomb = gzipSync(Buffer.alloc(256 * limit))
  t.ok(bomb.length < limit, 'small enough to come in')
  t.equal((await send(api, new Uint8Array(bomb), { 'content-encoding': 'gzip' })).status, 413)
  for (const [encoding, bytes] of [
    ['gzip', Buffer.from(text)],
    ['gzip', gzipSync(text).subarray(0, 20)],
    ['br', Buffer.from(text)],
    ['zstd', Buffer.from(text)],
    ['gzip, gzip', gzipSync(gzipSync(text))],
  ] as const) {
    const answer = await send(api, new Uint8Array(bytes), { 'content-encoding': encoding })
    t.match(answer, { status: 400, json: { error: /^Invalid request body: .*Content-Encoding/ } }, encoding)
  }
})

t.test('a client that goes away in the middle starts nothing', async (t) => {
  const api = await startApi(t)
  const { connect } = await import('node:net')
  const socket = connect(api.port, '127.0.0.1')
  socket.write(
    `POST /api/v1/backup HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}`,
  )
  while ((await api.call('GET', '/health')).status !== 200 || socket.bytesWritten === 0);
  socket.destroy()
  t.equal((await send(api, '{}')).status, 202)
  t.equal(api.engine.asked.length, 1)
})

import t from 'tap'
import { adminToken } from '../support/fixture.js'
import { startApi } from './scene.js'

// What two parsers read in two ways: a proxy would take it for one request, and a server behind it for two, the second of whoever wrote the first. Each of
// these is followed by a second request, which may never be heard.

const admin = `Host: x\r\nAuthorization: Bearer ${adminToken}\r\n`
const hidden = `POST /api/v1/backup HTTP/1.1\r\n${admin}Content-Length: 0\r\n\r\n`
const head = (fields: string): string => `POST /api/v1/backup/cancel HTTP/1.1\r\n${admin}${fields}\r\n\r\n`
const chunked = 'Transfer-Encoding: chunked'

const forms: Readonly<Record<string, string>> = {
  'length, then chunks': head(`Content-Length: 5\r\n${chunked}`),
  'chunks, then a length': `${head(`${chunked}\r\nContent-Length: 5`)}0\r\n\r\n`,
  'two lengths': head('Content-Length: 0\r\nContent-Length: 120'),
  'the same length twice': head('Content-Length: 0\r\nContent-Length: 0'),
  'a list of lengths': head('Content-Length: 0, 0'),
  'a length with a sign': head('Content-Length: +0'),
  'a length below zero': head('Content-Length: -1'),
  'a length in hex': head('Content-Length: 0x0'),
  'a length with a space in it': head('Content-Length: 0 0'),
  'an empty length': head('Content-Length: '),
  'a length that overflows': head('Content-Length: 18446744073709551616'),
  'a space before the colon': `${head('Transfer-Encoding : chunked')}0\r\n\r\n`,
  'a space before the colon of a length': head('Content-Length : 0'),
  'chunked, then another coding': `${head('Transfer-Encoding: chunked, identity')}0\r\n\r\n`,
  'an unknown coding': `${head('Transfer-Encoding: xchunked')}0\r\n\r\n`,
  'a coding in quotes': `${head('Transfer-Encoding: "chunked"')}0\r\n\r\n`,
  'a coding behind a vertical tab': `${head('Transfer-Encoding:\vchunked')}0\r\n\r\n`,
  'a coding with a foreign space': `${head('Transfer-Encoding: chunked\u00a0')}0\r\n\r\n`,
  'a coding with a comma behind it': `${head('Transfer-Encoding: chunked,')}0\r\n\r\n`,
  'two codings': `${head(`${chunked}\r\nTransfer-Encoding: identity`)}0\r\n\r\n`,
  'chunked twice': `${head(`${chunked}\r\n${chunked}`)}0\r\n\r\n`,
  'no coding': `${head('Transfer-Encoding:')}0\r\n\r\n`,
  'identity and a length': head('Transfer-Encoding: identity\r\nContent-Length: 0'),
  'chunks of HTTP 1.0': `${head(chunked).replace('HTTP/1.1', 'HTTP/1.0')}0\r\n\r\n`,
  'a folded field': head('X-A: a\r\n b\r\nContent-Length: 0'),
  'a folded coding': `${head('Transfer-Encoding:\r\n chunked')}0\r\n\r\n`,
  'a folded length': head('Content-Length:\r\n 0'),
  'lines that end in LF': head('Content-Length: 0').replaceAll('\r\n', '\n'),
  'one line that ends in LF': head('X-A: a\nContent-Length: 0'),
  'a head that ends in LF': head('Content-Length: 0').replace(/\r\n\r\n$/, '\r\n\n'),
  'a CR alone': head('X-A: a\rContent-Length: 0'),
  'a NUL': head('X-A: a\0b\r\nContent-Length: 0'),
  'a first field that is indented': head('Content-Length: 0').replace('Host', ' Host'),
  'a field without a colon': head('Content-Length'),
  'a field without a name': head(': 0'),
  'a chunk size with 0x': `${head(chunked)}0x0\r\n\r\n`,
  'a chunk size below zero': `${head(chunked)}-1\r\n\r\n`,
  'a chunk size that overflows': `${head(chunked)}ffffffffffffffff1\r\n\r\n`,
  'a chunk size with a space behind it': `${head(chunked)}0 \r\n\r\n`,
  'chunks that end in LF': `${head(chunked)}0\n\n`,
  'a chunk extension that ends in LF': `${head(chunked)}0;a\n\r\n\r\n`,
  'chunk data that end in LF': `${head(chunked)}1\r\na\n0\r\n\r\n`,
  'a chunk longer than its size': `${head(chunked)}1\r\nab\r\n0\r\n\r\n`,
  'a length in the trailer': `${head(chunked)}0\r\nContent-Length: 5\r\n\r\n`,
  'a tab in the first line': head('Content-Length: 0').replace(' HTTP', '\tHTTP'),
  'a space behind the version': head('Content-Length: 0').replace('HTTP/1.1', 'HTTP/1.1 '),
  'no version': 'GET /api/v1/backup\r\n\r\n',
}

t.test('what can be read in two ways is refused, and the connection closed', async (t) => {
  const { engine, raw } = await startApi(t)
  await Promise.all(
    Object.entries(forms).map(async ([name, form]) => {
      const answer = await raw(form + hidden)
      // Closed without a word where the first is being worked on: what is said now would be taken for its answer.
      t.ok(answer === '' || /^HTTP\/1\.1 400 (?!.*HTTP\/).*\r\nConnection: close\r\n/s.test(answer), name)
    }),
  )
  t.same(engine.asked, [], 'none of the requests behind was heard')
})

t.test('a request behind a body is one only behind the whole of it', async (t) => {
  const { engine, raw } = await startApi(t)
  const inside = `POST /api/v1/backup/cancel HTTP/1.1\r\n${admin}Connection: close\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`
  t.equal((await raw(inside)).match(/HTTP\/1\.1 \d+/g)?.length, 1)
  const get = `GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`
  t.equal((await raw(get)).match(/HTTP\/1\.1 \d+/g)?.length, 1, 'a GET with a body')
  const switched = `GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n${hidden}`
  t.equal((await raw(switched)).match(/HTTP\/1\.1 \d+/g)?.join(), 'HTTP/1.1 200', 'an upgrade')
  t.same(engine.asked, [])
  const behind = `${inside.replace('Connection: close\r\n', '')}${hidden.replace('Host', 'Connection: close\r\nHost')}`
  t.equal((await raw(behind)).match(/HTTP\/1\.1 \d+/g)?.join(), 'HTTP/1.1 202,HTTP/1.1 202', 'it would be heard')
  t.equal(engine.asked.length, 1)
})

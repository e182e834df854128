import fc from 'fast-check'
import t from 'tap'
import { AnswerParser, MalformedAnswer } from '../../src/stores/http-answer.js'

interface Parsed {
  readonly continued: number
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
  readonly ended: boolean
  readonly reusable: boolean
  /** Bytes that are not of the answer. */
  readonly rest: number
}

/** What the parser makes of bytes that come in pieces; each piece is overwritten after its call, as the memory of a connection is. */
function parse(pieces: readonly Buffer[], method = 'GET'): Parsed {
  let [continued, status, rest] = [0, 0, 0]
  let headers: Record<string, string> = {}
  let body = ''
  const parser = new AnswerParser(method, {
    continue: () => {
      continued += 1
    },
    head: (code, found) => {
      status = code
      headers = { ...found }
    },
    body: (bytes) => {
      body += bytes.toString('latin1')
    },
  })
  for (const piece of pieces) {
    const shared = Buffer.from(piece)
    rest += shared.length - (parser.ended ? 0 : parser.feed(shared))
    shared.fill(0x58)
  }
  return { continued, status, headers, body, ended: parser.ended, reusable: parser.reusable, rest }
}

const whole = (text: string, method?: string): Parsed => parse([Buffer.from(text, 'latin1')], method)

/** Cut at each of these places. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const ends = [...new Set(places.map((place) => place % bytes.length))].sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

const bodies = fc.string({ unit: fc.constantFrom('\r', '\n', '0', 'a', ':', ' ', 'ÿ'), maxLength: 60 })

t.test('an answer with a length, in whatever pieces it comes', async (t) => {
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(), { maxLength: 12 }), fc.boolean(), (body, places, first) => {
      const before = first ? 'HTTP/1.1 100 Continue\r\n\r\n' : ''
      const text = `${before}HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: ${body.length}\r\n\r\n${body}next`
      const { continued, ...found } = parse(cut(text, places))
      const headers = { etag: '"x"', 'content-length': String(body.length) }
      t.same(found, { status: 200, headers, body, ended: true, reusable: true, rest: 4 })
      t.equal(continued, first ? 1 : 0)
    }),
  )
})

t.test('an answer in chunks, in whatever pieces it comes', async (t) => {
  fc.assert(
    fc.property(fc.array(bodies.filter(Boolean)), fc.array(fc.nat(), { maxLength: 12 }), (chunks, places) => {
      const coded = chunks.map((chunk) => `${chunk.length.toString(16)};ext="x"\r\n${chunk}\r\n`).join('')
      const text = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${coded}0\r\nTrailer: y\r\n\r\nmore`
      const found = parse(cut(text, places))
      t.match(found, { status: 200, body: chunks.join(''), ended: true, reusable: true, rest: 4 })
    }),
  )
})

t.test('where an answer ends', async (t) => {
  const ended = { ended: true, reusable: true, body: '' }
  t.match(whole('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'HEAD'), ended, 'a HEAD has no body')
  t.match(whole('HTTP/1.1 204 No Content\r\n\r\n'), ended)
  t.match(whole('HTTP/1.1 304\r\nContent-Length: 5\r\n\r\n'), ended)
  t.match(whole('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), ended)
  const open = new AnswerParser('GET', { continue() {}, head() {}, body() {} })
  open.feed(Buffer.from('HTTP/1.1 200 OK\r\n\r\nabc'))
  t.same([open.ended, open.close(), open.reusable], [false, true, false], 'without a length, where the connection ends')
  const short = new AnswerParser('GET', { continue() {}, head() {}, body() {} })
  short.feed(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc'))
  t.same([short.ended, short.close()], [false, false], 'with one, not there')
})

t.test('when a connection is of no more use', async (t) => {
  const answers = {
    'HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n': false,
    'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n': false,
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n': true,
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n': false,
  }
  for (const [text, reusable] of Object.entries(answers)) t.match(whole(text), { ended: true, reusable }, text)
})

t.test('fields', async (t) => {
  const { headers } = whole('HTTP/1.1 200 OK\r\nA: 1\r\na:2 \r\nB:\r\n__proto__: x\r\nContent-Length: 0\r\n\r\n')
  t.same(Object.entries(headers), [
    ['a', '1, 2'],
    ['b', ''],
    ['__proto__', 'x'],
    ['content-length', '0'],
  ])
})

t.test('what is no answer', async (t) => {
  const ok = 'HTTP/1.1 200 OK\r\n'
  for (const text of [
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    `${ok}no colon\r\n\r\n`,
    `${ok}A: 1\r\n  folded: 2\r\n\r\n`,
    `${ok}Content-Length : 1\r\n\r\n`,
    `${ok}Content-Length: -1\r\n\r\n`,
    `${ok}Content-Length: 1, 1\r\n\r\n`,
    `${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n`,
    `${ok}Filler: ${'x'.repeat(1 << 16)}`,
    `${ok}Filler: ${'x'.repeat(1 << 16)}\r\n\r\n`,
  ]) {
    t.throws(() => whole(text), MalformedAnswer, text.slice(0, 60))
  }
})

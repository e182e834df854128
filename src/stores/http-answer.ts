import type { IncomingMessage } from 'node:http'

/** Bytes that a head, or what stands around the pieces of a body, may have. */
const longestHead = 1 << 16
const headEnd = Buffer.from('\r\n\r\n')

/** The head of an answer. Its body is the caller's to take, to its end, or the connection is of no more use. */
export interface Answer {
  readonly status: number
  /** Names in lower case; of several with one name the values are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * Hands over the body as it comes, in pieces that hold their bytes during the call only. After one that was answered with `false` nothing more is read from the network, until
   * `resume`. Resolves at the body's end; rejects where it is cut, or with what broke it off.
   */
  take(onBytes: (bytes: Buffer) => boolean | undefined): Promise<void>
  resume(): void
  /** Ends the connection. */
  destroy(error?: Error): void
}

/** Not HTTP/1.1; by its code `HPE_…` like what Node's own parser finds. */
export class MalformedAnswer extends Error {
  readonly code = 'HPE_MALFORMED'

  constructor(what: string) {
    super(`malformed answer: ${what}`)
    this.name = 'MalformedAnswer'
  }
}

export interface AnswerEvents {
  /** 100: the body may be sent. */
  continue(): void
  head(status: number, headers: Record<string, string>): void
  body(bytes: Buffer): void
}

/** What comes next. */
type Next = 'head' | 'bytes' | 'chunk size' | 'chunk' | 'chunk end' | 'trailer' | 'all' | 'nothing'

/** The answer to one request, as RFC 9112 frames it, out of bytes that come in any pieces. */
export class AnswerParser {
  readonly #toHead: boolean
  readonly #events: AnswerEvents
  #next: Next = 'head'
  /** Of a head or a line that is not whole yet. */
  #begun: Buffer | undefined
  /** Bytes until the end of the body, or of its chunk. */
  #left = 0
  #reusable = true

  /** @param method of the request: the answer to a HEAD has no body, whatever it announces */
  constructor(method: string, events: AnswerEvents) {
    this.#toHead = method === 'HEAD'
    this.#events = events
  }

  get ended(): boolean {
    return this.#next === 'nothing'
  }

  /** May the connection be used again, once this has ended? */
  get reusable(): boolean {
    return this.#reusable
  }

  /** Returns how many bytes are of this answer: all, unless it ended before. @throws MalformedAnswer */
  feed(bytes: Buffer): number {
    let at = 0
    while (at < bytes.length && this.#next !== 'nothing') {
      if (this.#next === 'head') at = this.#head(bytes, at)
      else if (this.#next === 'bytes' || this.#next === 'chunk' || this.#next === 'all') at = this.#body(bytes, at)
      else at = this.#line(bytes, at)
    }
    return at
  }

  /** The connection was closed. Is the answer whole? */
  close(): boolean {
    if (this.#next === 'all') this.#next = 'nothing'
    return this.#next === 'nothing'
  }

  #head(bytes: Buffer, at: number): number {
    const { found, end } = this.#until(headEnd, bytes, at)
    if (found === undefined) return end
    const [line = '', ...fields] = found.split('\r\n')
    const [, minor, code] = /^HTTP\/1\.(\d) (\d{3})(?: |$)/.exec(line) ?? []
    if (code === undefined) throw new MalformedAnswer('no status line')
    const status = Number(code)
    if (status === 101) throw new MalformedAnswer('another protocol, which nobody asked for')
    if (status < 200) {
      if (status === 100) this.#events.continue()
      return end
    }
    const headers = fieldsOf(fields)
    const connection = headers.connection?.toLowerCase() ?? ''
    if (minor === '0' ? !/\bkeep-alive\b/.test(connection) : /\bclose\b/.test(connection)) this.#reusable = false
    this.#frame(status, headers)
    this.#events.head(status, headers)
    return end
  }

  /** Where the body ends. */
  #frame(status: number, headers: Record<string, string>): void {
    const { 'transfer-encoding': encoding, 'content-length': length } = headers
    if (this.#toHead || status === 204 || status === 304) this.#next = 'nothing'
    else if (encoding !== undefined) {
      if (encoding.toLowerCase() !== 'chunked') throw new MalformedAnswer('an encoding that nobody asked for')
      // Both at once: who made this and who passed it on may not agree where it ends.
      if (length !== undefined) this.#reusable = false
      this.#next = 'chunk size'
    } else if (length !== undefined) {
      if (!/^\d{1,15}$/.test(length)) throw new MalformedAnswer('a length that is none')
      this.#left = Number(length)
      this.#next = this.#left === 0 ? 'nothing' : 'bytes'
    } else {
      this.#reusable = false
      this.#next = 'all'
    }
  }

  #body(bytes: Buffer, at: number): number {
    const end = this.#next === 'all' ? bytes.length : Math.min(bytes.length, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0 && this.#next === 'bytes') this.#next = 'nothing'
    if (this.#left === 0 && this.#next === 'chunk') this.#next = 'chunk end'
    this.#events.body(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
    return end
  }

  #line(bytes: Buffer, at: number): number {
    const { found, end } = this.#until('\r\n', bytes, at)
    if (found === undefined) return end
    if (this.#next === 'chunk end') {
      if (found !== '') throw new MalformedAnswer('a chunk longer than it said')
      this.#next = 'chunk size'
    } else if (this.#next === 'trailer') {
      if (found === '') this.#next = 'nothing'
    } else {
      const [, size] = /^([\da-f]{1,12})[ \t]*(?:;.*)?$/i.exec(found) ?? []
      if (size === undefined) throw new MalformedAnswer('a chunk without its size')
      this.#left = Number.parseInt(size, 16)
      this.#next = this.#left === 0 ? 'trailer' : 'chunk'
    }
    return end
  }

  /** What stands before a mark, and where to go on after it; undefined where it is not there yet. */
  #until(mark: string | Buffer, bytes: Buffer, at: number): { found?: string; end: number } {
    const begun = this.#begun?.length ?? 0
    const all = this.#begun ? Buffer.concat([this.#begun, bytes.subarray(at)]) : bytes
    const start = this.#begun ? 0 : at
    const found = all.indexOf(mark, start, 'latin1')
    if ((found < 0 ? all.length : found) - start > longestHead) throw new MalformedAnswer('its head has no end')
    if (found < 0) {
      // A copy: these bytes are somebody else's after the call.
      this.#begun = this.#begun ? all : Buffer.from(bytes.subarray(at))
      return { end: bytes.length }
    }
    this.#begun = undefined
    const end = found + mark.length
    return { found: all.toString('latin1', start, found), end: all === bytes ? end : at + end - begun }
  }
}

function fieldsOf(lines: readonly string[]): Record<string, string> {
  // No prototype: a name is what a server says.
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(':')
    // Also one that goes on from the line before, and a space before the colon, which hide fields from who reads them otherwise.
    if (colon < 1 || /[\s\0]/.test(line.slice(0, colon))) throw new MalformedAnswer('a field without a name')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = headers[name]
    if (name === 'content-length' && before !== undefined && before !== value)
      throw new MalformedAnswer('it has two lengths')
    headers[name] = before === undefined || name === 'content-length' ? value : `${before}, ${value}`
  }
  return headers
}

/** What Node's own client answered. */
export function answerOf(response: IncomingMessage): Answer {
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return {
    status: response.statusCode ?? 0,
    headers,
    take: (onBytes) =>
      new Promise((resolve, reject) => {
        response.on('data', (bytes: Buffer) => {
          if (onBytes(bytes) === false) response.pause()
        })
        response.on('end', resolve)
        response.on('error', reject)
        response.on('close', () => {
          if (!response.readableEnded) reject(closed())
        })
      }),
    resume: () => void response.resume(),
    destroy: (error) => void response.destroy(error),
  }
}

/** Reads a body to its end, so that its connection can be used again. */
export function drain(answer: Answer): Promise<void> {
  return answer.take(() => undefined)
}

/** A body as text. @param most bytes; what is longer is cut, and its connection ended */
export async function textOf(answer: Answer, most = Number.POSITIVE_INFINITY): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  const cut = new Error('long enough')
  try {
    await answer.take((piece) => {
      if (bytes > most) return undefined
      parts.push(Buffer.from(piece))
      bytes += piece.length
      if (bytes > most) answer.destroy(cut)
      return undefined
    })
  } catch (error) {
    if (error !== cut) throw error
  }
  return Buffer.concat(parts).toString()
}

export function closed(): Error {
  return Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })
}

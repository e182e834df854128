import { validateHeaderName, validateHeaderValue } from 'node:http'
import { connect, isIP, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectSafely } from 'node:tls'
import { type Answer, AnswerParser, closed } from './http-answer.js'
import { stopSignal } from './stopping.js'

/** How long an answer to `Expect: 100-continue` is awaited before the body goes all the same (ms). */
export const continueWait = 1000
/** Bytes of a body that are kept for who has not yet begun to take it; beyond them nothing more is read. */
const mostEarly = 1 << 18
const keepAliveDelay = 1000

/**
 * What all connections of a thread read into, one after the other: what arrives is handed on, and copied by who needs it, before the next one reads. (True where a system tells that there is
 * something to read, and is then asked for it: not on Windows, where Arc does not run.)
 */
let window: Buffer | undefined

export interface Address {
  readonly secure: boolean
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: number
}

export interface Request {
  readonly method: string
  /** Encoded, with the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Must stay as it is until the answer is there. */
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

/** No byte moved for too long. */
export class Stalled extends Error {
  constructor(ms: number) {
    super(`no byte moved for ${Math.round(ms / 100) / 10} s`)
    this.name = 'Stalled'
  }
}

/** Who has a connection between two requests. */
export interface Keeper {
  readonly stallMs: number
  /** It can take another request. */
  free(connection: Connection): void
  /** It can't any more. */
  gone(connection: Connection): void
}

/**
 * One connection, for one request after the other, on bare sockets: Node's own client takes 2 s of CPU to receive a GiB and 140 µs for a small answer, this one 0.3 s and 40 µs (measured side by side),
 * because it reads into memory that is there, 256 KiB at a time, and makes no stream of an answer.
 */
export class Connection {
  readonly #socket: Socket
  readonly #keeper: Keeper
  #exchange: Exchange | undefined

  constructor(address: Address, keeper: Keeper) {
    this.#keeper = keeper
    this.#socket = open(address, (bytes) => this.#received(bytes))
    this.#socket.setTimeout(keeper.stallMs)
    this.#socket.on('timeout', () => this.#waited())
    this.#socket.on('error', (error) => this.#exchange?.fail(error))
    this.#socket.on('close', () => {
      this.#exchange?.closed()
      this.#keeper.gone(this)
    })
  }

  /** Can it take another request, as far as is known? */
  get usable(): boolean {
    return this.#socket.readable && this.#socket.writable
  }

  /** Resolves with the answer's head. Rejects with a system error, with `Stalled`, or with why it is to stop; so does its body. @param head see `headOf` */
  send(request: Request, head: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(this.#socket, request, { resolve, reject }, (whole) => this.#ended(whole))
      this.#exchange = exchange
      exchange.begin(head)
    })
  }

  /** For one that waits for its next request. */
  rest(): void {
    this.#socket.setTimeout(0)
    this.#socket.unref()
  }

  wake(): void {
    this.#socket.ref()
    this.#socket.setTimeout(this.#keeper.stallMs)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #received(bytes: Buffer): boolean {
    // Nobody asked.
    if (!this.#exchange) this.#socket.destroy()
    return this.#exchange?.received(bytes) ?? true
  }

  #waited(): void {
    // Who does not take what has arrived is slow, not the store.
    if (this.#exchange?.paused) this.#socket.setTimeout(this.#keeper.stallMs)
    else this.#socket.destroy(new Stalled(this.#keeper.stallMs))
  }

  #ended(reusable: boolean): void {
    this.#exchange = undefined
    if (reusable && this.usable) this.#keeper.free(this)
    else this.#socket.destroy()
  }
}

/** One request and its answer. */
class Exchange implements Answer {
  status = 0
  headers: Readonly<Record<string, string>> = {}
  /** Is nothing more read because nobody takes it? */
  paused = false
  readonly #socket: Socket
  readonly #request: Request
  readonly #head: { resolve(answer: Answer): void; reject(error: unknown): void }
  readonly #onEnd: (reusable: boolean) => void
  readonly #parser: AnswerParser
  readonly #stop = stopSignal()
  /** Has all of the request gone out? */
  #sent = false
  #sending = false
  #waiting: NodeJS.Timeout | undefined
  readonly #early: Buffer[] = []
  #earlyBytes = 0
  #onBytes: ((bytes: Buffer) => boolean | undefined) | undefined
  #body: { resolve(): void; reject(error: unknown): void } | undefined
  #over = false
  #failure: { readonly error: unknown } | undefined

  constructor(
    socket: Socket,
    request: Request,
    head: { resolve(answer: Answer): void; reject(error: unknown): void },
    onEnd: (reusable: boolean) => void,
  ) {
    this.#socket = socket
    this.#request = request
    this.#head = head
    this.#onEnd = onEnd
    this.#parser = new AnswerParser(request.method, {
      continue: () => this.#sendBody(),
      head: (status, headers) => {
        this.status = status
        this.headers = headers
        this.#head.resolve(this)
      },
      body: (bytes) => this.#arrived(bytes),
    })
  }

  begin(text: string): void {
    const { signal, headers, body } = this.#request
    for (const one of [this.#stop, signal]) {
      if (one?.aborted) {
        this.#socket.destroy(one.reason)
        return
      }
      one?.addEventListener('abort', this.#breakOff, { once: true })
    }
    if (!body) {
      this.#socket.write(text, 'latin1', this.#allSent)
      return
    }
    if (headers.expect === '100-continue') {
      this.#socket.write(text, 'latin1')
      this.#waiting = setTimeout(() => this.#sendBody(), continueWait)
      return
    }
    this.#socket.cork()
    this.#socket.write(text, 'latin1')
    this.#sendBody()
    this.#socket.uncork()
  }

  /** Returns whether more is to be read. */
  received(bytes: Buffer): boolean {
    try {
      const taken = this.#parser.feed(bytes)
      if (this.#parser.ended) this.#end(this.#parser.reusable && this.#sent && taken === bytes.length)
    } catch (error) {
      this.#socket.destroy(error as Error)
    }
    return !this.paused || this.#over
  }

  closed(): void {
    if (this.#over) return
    if (this.status !== 0 && this.#parser.close()) this.#end(false)
    else this.fail(closed())
  }

  fail(error: unknown): void {
    if (this.#over) return
    this.#failure = { error }
    this.#leave()
    this.#head.reject(error)
    this.#body?.reject(error)
  }

  take(onBytes: (bytes: Buffer) => boolean | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onBytes = onBytes
      let more = true
      for (const bytes of this.#early.splice(0)) if (onBytes(bytes) === false) more = false
      if (this.#failure) reject(this.#failure.error)
      else if (this.#over) resolve()
      else {
        this.#body = { resolve, reject }
        if (more) this.resume()
        else this.paused = true
      }
    })
  }

  resume(): void {
    if (!this.paused || this.#over) return
    this.paused = false
    // Its clock ran on meanwhile.
    this.#socket.setTimeout(this.#socket.timeout ?? 0)
    this.#socket.resume()
  }

  destroy(error?: Error): void {
    if (!this.#over) this.#socket.destroy(error)
  }

  #arrived(bytes: Buffer): void {
    if (this.#onBytes) {
      if (this.#onBytes(bytes) === false) this.paused = true
      return
    }
    this.#early.push(Buffer.from(bytes))
    this.#earlyBytes += bytes.length
    if (this.#earlyBytes > mostEarly) this.paused = true
  }

  #end(reusable: boolean): void {
    this.#leave()
    if (this.paused) this.#socket.resume()
    this.#body?.resolve()
    this.#onEnd(reusable)
  }

  #leave(): void {
    this.#over = true
    clearTimeout(this.#waiting)
    this.#stop?.removeEventListener('abort', this.#breakOff)
    this.#request.signal?.removeEventListener('abort', this.#breakOff)
  }

  readonly #breakOff = (): void => {
    const reason = this.#stop?.aborted ? this.#stop.reason : this.#request.signal?.reason
    this.#socket.destroy(reason)
  }

  readonly #allSent = (error?: Error | null): void => {
    if (!error) this.#sent = true
  }

  #sendBody(): void {
    clearTimeout(this.#waiting)
    const { body } = this.#request
    // A refusal may be on its way already: then the body stays here.
    if (!body || this.#sending || this.#over || this.status !== 0) return
    this.#sending = true
    this.#socket.write(body, this.#allSent)
  }
}

function open({ secure, host, port }: Address, onBytes: (bytes: Buffer) => boolean): Socket {
  window ??= Buffer.allocUnsafeSlow(1 << 18)
  const onread: OnReadOpts = {
    buffer: window,
    callback: (count, buffer) => onBytes((buffer as Buffer).subarray(0, count)),
  }
  // A name, and never an address, may be told to a server before the connection is safe.
  const safely = { onread, servername: isIP(host) ? '' : host, ALPNProtocols: ['http/1.1'] }
  const socket = secure ? connectSafely({ host, port, ...safely }) : connect({ host, port, onread })
  return socket.setNoDelay().setKeepAlive(true, keepAliveDelay)
}

/** A request's first lines. @throws TypeError for what none may hold */
export function headOf({ method, path, headers, body }: Request): string {
  if (!/^[\x21-\x7e]+$/.test(path)) throw new TypeError(`not a path for a request: ${JSON.stringify(path)}`)
  let text = `${method} ${path} HTTP/1.1\r\n`
  for (const name in headers) {
    const value = headers[name] ?? ''
    validateHeaderName(name)
    validateHeaderValue(name, value)
    text += `${name}: ${value}\r\n`
  }
  if (headers['content-length'] === undefined && (body || method === 'PUT' || method === 'POST'))
    text += `content-length: ${body?.length ?? 0}\r\n`
  return `${text}\r\n`
}

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import type { Owner } from './owner.js'

/** What goes wrong on the way to a server; may be changed while it runs. */
export interface Plan {
  /** Each piece of bytes, in both directions, comes this much later (ms). */
  latencyMs?: number
  /** Each connection is cut after so many bytes from the client. */
  cutAfterSent?: number
  /** Each connection is cut after so many bytes from the server. */
  cutAfterReceived?: number
  /** Once, a bit of what the client sends after so many bytes of a connection arrives the other way round. */
  damageAfterSent?: number
  /** Only so many connections are cut. */
  cuts?: number
  /** After so many bytes from the client, or from the server, nothing moves any more in either direction. */
  stallAfterSent?: number
  stallAfterReceived?: number
  /** Every nth request is answered 503 here. */
  unavailableEvery?: number
  /** Seconds that those answers ask to wait. */
  retryAfter?: number
  /** The first request whose head holds this text reaches the server, its answer does not reach the client. */
  loseAnswerTo?: string
  /** Bytes a second from the client. */
  bytesPerSecond?: number
  /** Waited for before a request goes on to the server: `GET /bucket/key`. */
  before?: (request: string) => Promise<void>
  /** Answers to requests whose head holds `of` have only so many bytes of their body, and say that this is all; the first `times` of them, or all. */
  shorten?: { of: string; to: number; times?: number }
  /** Requests whose head holds `of` are answered so here. */
  refuse?: { of: string; status: number; body: string }
}

export interface Proxy {
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly plan: Plan
  /** Requests seen so far: `PUT /bucket/key`. */
  readonly requests: string[]
}

const head = /(?:^|\r\n\r\n|\n)(GET|PUT|POST|HEAD|DELETE) (\S+) HTTP\/1\.1\r\n/

/** A TCP proxy before one server of 127.0.0.1. It looks for the heads of requests and counts bytes; it understands no more of HTTP. */
export async function startProxy(owner: Owner, port: number, plan: Plan = {}): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const requests: string[] = []
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => end())
      socket.on('close', () => end())
    }
    const end = (): void => {
      for (const socket of [client, upstream]) {
        socket.destroy()
        sockets.delete(socket)
      }
    }
    let [sent, received] = [0, 0]
    let loses = false
    let short: Short | undefined
    const stalled = (): boolean =>
      sent > (plan.stallAfterSent ?? Number.POSITIVE_INFINITY) ||
      received > (plan.stallAfterReceived ?? Number.POSITIVE_INFINITY)
    const up = through(plan, 'up', (bytes) => {
      const before = sent
      sent += bytes.length
      if (stalled()) return never
      if (plan.cutAfterSent !== undefined && sent > plan.cutAfterSent && mayCut(plan)) {
        upstream.write(bytes.subarray(0, plan.cutAfterSent - before))
        end()
        return undefined
      }
      const request = head.exec(String(bytes.subarray(0, 4096)))
      if (request) requests.push(`${request[1]} ${request[2]}`)
      if (request && plan.loseAnswerTo !== undefined && `${request[1]} ${request[2]}`.includes(plan.loseAnswerTo)) {
        delete plan.loseAnswerTo
        loses = true
      }
      if (request && plan.unavailableEvery && requests.length % plan.unavailableEvery === 0) {
        const wait = plan.retryAfter === undefined ? '' : `Retry-After: ${plan.retryAfter}\r\n`
        client.end(`HTTP/1.1 503 Service Unavailable\r\n${wait}Content-Length: 0\r\nConnection: close\r\n\r\n`)
        upstream.destroy()
        return undefined
      }
      if (!request) {
        if (plan.damageAfterSent !== undefined && before > plan.damageAfterSent) {
          delete plan.damageAfterSent
          const at = bytes.length >> 1
          bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
        }
        return bytes
      }
      const name = `${request[1]} ${request[2]}`
      if (plan.refuse && name.includes(plan.refuse.of)) {
        const { status, body } = plan.refuse
        client.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
        upstream.destroy()
        return undefined
      }
      const { shorten } = plan
      if (shorten && name.includes(shorten.of) && shorten.times !== 0) {
        if (shorten.times !== undefined) shorten.times -= 1
        short = new Short(shorten.to)
      }
      return plan.before ? plan.before(name).then(() => bytes) : bytes
    })
    const down = through(plan, 'down', (bytes) => {
      const before = received
      received += bytes.length
      if (stalled()) return never
      if (loses) {
        end()
        return undefined
      }
      if (short) {
        const answer = short.take(bytes)
        if (answer) client.end(answer)
        return undefined
      }
      if (plan.cutAfterReceived !== undefined && received > plan.cutAfterReceived && mayCut(plan)) {
        client.write(bytes.subarray(0, plan.cutAfterReceived - before), () => end())
        return undefined
      }
      return bytes
    })
    client.pipe(up).pipe(upstream)
    upstream.pipe(down).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  owner.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, plan, requests }
}

function mayCut(plan: Plan): boolean {
  if (plan.cuts === undefined) return true
  if (plan.cuts === 0) return false
  plan.cuts -= 1
  return true
}

const never = new Promise<undefined>(() => {})

/** Passes on what `look` lets pass: undefined is dropped, and a promise that never resolves holds everything up. */
function through(
  plan: Plan,
  way: 'up' | 'down',
  look: (bytes: Buffer) => Buffer | undefined | Promise<Buffer | undefined>,
): Transform {
  return new Transform({
    async transform(bytes: Buffer, _encoding, done) {
      const passed = look(bytes)
      const passing = passed instanceof Promise ? await passed : passed
      const rate = way === 'up' ? plan.bytesPerSecond : undefined
      const wait = (plan.latencyMs ?? 0) + (rate === undefined ? 0 : (bytes.length / rate) * 1000)
      if (wait < 1) done(null, passing)
      else setTimeout(done, wait, null, passing)
    },
  })
}

/** An answer that is collected until its shortened form is whole. */
class Short {
  readonly #to: number
  #held = Buffer.alloc(0)
  #given = false

  constructor(to: number) {
    this.#to = to
  }

  /** The answer, once there is enough of it; its connection is to be closed after it. */
  take(bytes: Buffer): Buffer | undefined {
    if (this.#given) return undefined
    this.#held = Buffer.concat([this.#held, bytes])
    const end = this.#held.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const lines = String(this.#held.subarray(0, end)).split('\r\n')
    // An interim answer comes before the real one.
    if (lines[0]?.includes(' 100 ')) {
      this.#held = this.#held.subarray(end + 4)
      return this.take(Buffer.alloc(0))
    }
    const chunked = lines.some((line) => /^transfer-encoding: chunked/i.test(line))
    const body = this.#held.subarray(end + 4)
    const start = chunked ? body.indexOf('\r\n') + 2 : 0
    if (body.length < start + this.#to) return undefined
    this.#given = true
    const kept = lines.filter((line) => !/^(transfer-encoding|content-length|connection):/i.test(line))
    const head = [...kept, `Content-Length: ${this.#to}`, 'Connection: close', '', ''].join('\r\n')
    return Buffer.concat([Buffer.from(head), body.subarray(start, start + this.#to)])
  }
}

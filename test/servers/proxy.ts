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
    const stalled = (): boolean =>
      sent > (plan.stallAfterSent ?? Number.POSITIVE_INFINITY) ||
      received > (plan.stallAfterReceived ?? Number.POSITIVE_INFINITY)
    const up = through(plan, 'up', (bytes) => {
      const before = sent
      sent += bytes.length
      if (stalled()) return new Promise(() => {})
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
      return bytes
    })
    const down = through(plan, 'down', (bytes) => {
      const before = received
      received += bytes.length
      if (stalled()) return new Promise(() => {})
      if (loses) {
        end()
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

/** Passes on what `look` lets pass: undefined is dropped, and a promise that never resolves holds everything up. */
function through(
  plan: Plan,
  way: 'up' | 'down',
  look: (bytes: Buffer) => Buffer | undefined | Promise<never>,
): Transform {
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      const passed = look(bytes)
      if (passed instanceof Promise) return
      const rate = way === 'up' ? plan.bytesPerSecond : undefined
      const wait = (plan.latencyMs ?? 0) + (rate === undefined ? 0 : (bytes.length / rate) * 1000)
      if (wait < 1) done(null, passed)
      else setTimeout(done, wait, null, passed)
    },
  })
}

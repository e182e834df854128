import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'
import { stopSignal } from './stopping.js'

/** How long an answer to `Expect: 100-continue` is awaited before the body goes all the same (ms). */
const continueWait = 1000

export interface Call {
  readonly method: string
  /** With the port, where it is not the scheme's own: `https://s3.eu-west-1.amazonaws.com`. */
  readonly origin: string
  /** Encoded, with the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Must stay as it is until the answer is there. */
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

/** How an origin is reached. */
interface Route {
  readonly agent: http.Agent
  readonly secure: boolean
  readonly protocol: string
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: string
}

/** No byte moved for too long. */
export class Stalled extends Error {
  constructor(ms: number) {
    super(`no byte moved for ${Math.round(ms / 100) / 10} s`)
    this.name = 'Stalled'
  }
}

/**
 * Requests over connections that are kept, for signed requests and for the SDK. On node:http and not on undici (0.07 ms of CPU a request either way, measured) because its
 * socket time-out is a clock of bytes in both directions, an upload's too, and because it knows `Expect: 100-continue`: a refusal of a large body arrives as its answer and not as a broken pipe.
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY are obeyed.
 */
export class Transport {
  readonly #stallMs: number
  readonly #routes = new Map<string, Route>()

  constructor(stallMs: number) {
    this.#stallMs = stallMs
  }

  /** Resolves with the answer's head. Rejects with a system error, with `Stalled`, or with why it is to stop; so does the body, as a stream. */
  send(call: Call): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { origin, body, signal } = call
      const stop = stopSignal()
      if (stop?.aborted) return reject(stop.reason)
      const { agent, secure, protocol, host, port } = this.#route(origin)
      // Node has written the head of a request that expects something before its agent can name the server in it.
      const patient = call.headers.expect === '100-continue' && !(agent instanceof HttpProxyAgent)
      const { expect: _, ...others } = call.headers
      const request = (secure ? https : http).request({
        method: call.method,
        protocol,
        host,
        // A proxy's agent forgets the name where it is an address, and takes the server for `localhost`.
        ...(secure && { checkServerIdentity: (_: string, found: PeerCertificate) => checkServerIdentity(host, found) }),
        port,
        path: call.path,
        headers: patient ? call.headers : others,
        agent,
        timeout: this.#stallMs,
        ...(signal && { signal }),
      })
      let response: IncomingMessage | undefined
      const breakOff = (): void => void (response ?? request).destroy(stop?.reason)
      stop?.addEventListener('abort', breakOff, { once: true })
      request.once('close', () => stop?.removeEventListener('abort', breakOff))
      // The socket's own clock starts with the socket: behind a proxy that is after the tunnel was made.
      const connecting = setTimeout(() => request.destroy(new Stalled(this.#stallMs)), this.#stallMs)
      request.once('socket', () => clearTimeout(connecting))
      request.once('close', () => clearTimeout(connecting))
      request.on('error', reject)
      request.on('timeout', () => {
        if (response?.complete) return
        // What has arrived and is not taken means that the reader is slow, not the store.
        if (response && response.readableLength > 0) request.socket?.setTimeout(this.#stallMs)
        else (response ?? request).destroy(new Stalled(this.#stallMs))
      })
      let sent = false
      const send = (): void => {
        if (sent || request.destroyed || response) return
        sent = true
        request.end(body)
      }
      request.on('response', (answer) => {
        response = answer
        // Refused before the body went: this connection can't be used again.
        if (!sent) answer.once('close', () => request.destroy())
        resolve(answer)
      })
      if (!patient) return send()
      const waiting = setTimeout(send, continueWait)
      request.once('continue', send)
      request.once('close', () => clearTimeout(waiting))
      request.flushHeaders()
    })
  }

  close(): void {
    for (const { agent } of this.#routes.values()) agent.destroy()
    this.#routes.clear()
  }

  #route(origin: string): Route {
    const known = this.#routes.get(origin)
    if (known) return known
    const { protocol, hostname, port } = new URL(origin)
    const secure = protocol === 'https:'
    const options = { keepAlive: true }
    const proxy = getProxyForUrl(origin)
    const agent = proxy
      ? new (secure ? HttpsProxyAgent : HttpProxyAgent)(proxy, options)
      : new (secure ? https : http).Agent(options)
    const route = { agent, secure, protocol, host: hostname.replace(/^\[|\]$/g, ''), port }
    this.#routes.set(origin, route)
    return route
  }
}

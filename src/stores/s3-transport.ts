import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'
import { type Answer, answerOf } from './http-answer.js'
import { continueWait, type Request, Stalled } from './http-connection.js'
import { Connections } from './http-connections.js'
import { stopSignal } from './stopping.js'

export interface Call extends Request {
  /** With the port, where it is not the scheme's own: `https://s3.eu-west-1.amazonaws.com`. */
  readonly origin: string
}

/** How an origin is reached. */
interface Route {
  readonly agent: http.Agent
  /** Absent where a proxy stands between. */
  readonly connections?: Connections
  readonly secure: boolean
  readonly protocol: string
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: string
}

/**
 * Requests over connections that are kept. Those for objects go over our own (`exchange`); the SDK's, and all that go through a proxy, over node:http, and not undici (0.07 ms of CPU a request either
 * way, measured): its socket time-out is a clock of bytes in both directions, an upload's too, and it knows `Expect: 100-continue`: a refusal of a large body arrives as its answer and not as a broken pipe.
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

  /** The same for what is frequent or large. */
  async exchange(call: Call): Promise<Answer> {
    const { connections } = this.#route(call.origin)
    return connections ? connections.send(call) : answerOf(await this.send(call))
  }

  close(): void {
    for (const { agent, connections } of this.#routes.values()) {
      agent.destroy()
      connections?.close()
    }
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
    const host = hostname.replace(/^\[|\]$/g, '')
    const direct = proxy === '' && { connections: Connections.to(origin, this.#stallMs) }
    const route = { agent, secure, protocol, host, port, ...direct }
    this.#routes.set(origin, route)
    return route
  }
}

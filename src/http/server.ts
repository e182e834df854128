import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  createServer as createHttp,
  type IncomingMessage,
  type ServerOptions as NodeOptions,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { Duplex } from 'node:stream'
import type Koa from 'koa'
import { type ErrorCode, ServiceError, systemCode } from '../errors.js'
import { errorBody } from './boundary.js'
import { alwaysSent } from './headers.js'
import { toGoJson } from './json.js'

export interface ServerOptions {
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  /** For a whole request, body included; its head may take ten seconds of that at most. */
  readonly readTimeoutMs: number
  /** For a connection between two requests. */
  readonly idleTimeoutMs: number
}

const headTimeout = 10_000
const mostConnections = 1024
/** How often connections are looked at for a time-out, in ms. */
const checkInterval = 1000
/** What Node's parser gives up on, as far as it is not simply malformed. */
const refusals: Readonly<Record<string, { status: number; code: ErrorCode }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'REQUEST_INVALID' },
  HPE_HEADER_OVERFLOW: { status: 431, code: 'TOO_LARGE' },
}

/** An HTTP or HTTPS server for the app, with time-outs for slow requests; it does not listen yet. @throws CONFIG_INVALID for a bad certificate */
export function createServer<State>(app: Koa<State>, options: ServerOptions): Server {
  const nodeOptions: NodeOptions = {
    headersTimeout: Math.min(headTimeout, options.readTimeoutMs),
    requestTimeout: options.readTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(checkInterval, options.readTimeoutMs),
    // Node's own answer to a request without `Host` has none of our headers, and nothing here needs it.
    requireHostHeader: false,
  }
  const server = options.tls ? createTls(nodeOptions, options.tls) : createHttp(nodeOptions)
  server.maxConnections = mostConnections
  const handle = app.callback()
  const latest = new WeakMap<Duplex, ServerResponse>()
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    latest.set(request.socket, response)
    void handle(request, response)
  }
  server.on('request', listener)
  // An `Expect` that Node does not know is no reason for an answer without our headers.
  server.on('checkExpectation', listener)
  server.on('clientError', (error, socket) => refuse(error, socket, latest.get(socket)))
  return server
}

function createTls(nodeOptions: NodeOptions, files: { certFile: string; keyFile: string }): Server {
  try {
    const [cert, key] = [readFileSync(files.certFile), readFileSync(files.keyFile)]
    return createHttps({ ...nodeOptions, cert, key, handshakeTimeout: headTimeout })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ServiceError(
      'CONFIG_INVALID',
      `TLS configuration error: ${why} (server.tls_cert_file, server.tls_key_file)`,
      { cause: error },
    )
  }
}

/** Answers what never became a request, in the same form as everything else. The error is not logged: it carries the bytes, and with them a token. */
function refuse(error: Error, socket: Duplex, latest: ServerResponse | undefined): void {
  if (!socket.writable || (latest !== undefined && !mayRefuse(latest))) {
    socket.destroy()
    return
  }
  const { status, code } = refusals[systemCode(error) ?? ''] ?? { status: 400, code: 'REQUEST_INVALID' }
  const reason = STATUS_CODES[status] ?? ''
  const requestId = randomUUID()
  const body = toGoJson(errorBody(new ServiceError(code, reason), requestId))
  const head = {
    ...alwaysSent,
    'X-Request-Id': requestId,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  }
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n${body}`)
}

/**
 * May a connection be told off now? Where its latest request is whole, only after the answer to that: it would be taken for it. Where it is not, only
 * before that: no second answer to one request.
 */
function mayRefuse({ req, headersSent, writableFinished }: ServerResponse): boolean {
  return req.complete ? writableFinished : !headersSent
}

import { randomUUID, X509Certificate } from 'node:crypto'
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
import type { TLSSocket } from 'node:tls'
import type Koa from 'koa'
import { type ErrorCode, ServiceError, systemCode } from '../errors.js'
import { errorBody } from './boundary.js'
import { Connections } from './connections.js'
import { alwaysSent } from './headers.js'
import { toGoJson } from './json.js'

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  /** Clients are asked for a certificate of one of these authorities. Who has none is let in all the same, unless `required`. */
  readonly clients?: { readonly caFile: string; readonly required: boolean }
}

export interface ServerOptions {
  readonly tls: TlsFiles | null
  /** For a whole request, body included; its head may take ten seconds of that at most. */
  readonly readTimeoutMs: number
  /** For a connection between two requests. */
  readonly idleTimeoutMs: number
}

const headTimeout = 10_000
/** Connections at once, and how long (ms) a client may take nothing of its answer. */
const defaultLimits = { connections: 1024, takeMs: 30_000 }
/** How often connections are looked at for a time-out, in ms. */
const checkInterval = 1000
/** What Node's parser gives up on, as far as it is not simply malformed. */
const refusals: Readonly<Record<string, { status: number; code: ErrorCode }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'REQUEST_INVALID' },
  HPE_HEADER_OVERFLOW: { status: 431, code: 'TOO_LARGE' },
}

/** An HTTP or HTTPS server for the app, with time-outs for slow requests; it does not listen yet. @throws CONFIG_INVALID for a bad certificate */
export function createServer<State>(app: Koa<State>, options: ServerOptions, limits = defaultLimits): Server {
  const nodeOptions: NodeOptions = {
    headersTimeout: Math.min(headTimeout, options.readTimeoutMs),
    requestTimeout: options.readTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(checkInterval, options.readTimeoutMs),
    // Node's own answer to a request without `Host` has none of our headers, and nothing here needs it.
    requireHostHeader: false,
  }
  const server = options.tls ? createTls(nodeOptions, options.tls) : createHttp(nodeOptions)
  const connections = new Connections(server, limits.connections, limits.takeMs)
  const handle = app.callback()
  const latest = new WeakMap<Duplex, ServerResponse>()
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    latest.set(request.socket, response)
    connections.note(request.socket, response)
    void handle(request, response)
  }
  server.on('request', listener)
  // An `Expect` that Node does not know is no reason for an answer without our headers.
  server.on('checkExpectation', listener)
  server.on('clientError', (error, socket) => refuse(error, socket, latest.get(socket)))
  return server
}

function createTls(nodeOptions: NodeOptions, { certFile, keyFile, clients }: TlsFiles): Server {
  try {
    const server = createHttps({
      ...nodeOptions,
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      handshakeTimeout: headTimeout,
      ...(clients && {
        ca: readAuthorities(clients.caFile),
        requestCert: true,
        rejectUnauthorized: clients.required,
      }),
    })
    // A certificate that is not right is worse than none: whoever shows it means to be somebody.
    if (clients) server.on('secureConnection', (socket) => void (isWrong(socket) && socket.destroy()))
    return server
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ServiceError(
      'CONFIG_INVALID',
      `TLS configuration error: ${why} (server.tls_cert_file, server.tls_key_file${clients ? ', backup.tls_client_ca_file' : ''})`,
      { cause: error },
    )
  }
}

/** @throws where the file holds none: Node would take that for "no certificate will do", and say nothing */
function readAuthorities(file: string): Buffer {
  const text = readFileSync(file)
  new X509Certificate(text)
  return text
}

function isWrong(socket: TLSSocket): boolean {
  return !socket.authorized && socket.getPeerX509Certificate() !== undefined
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

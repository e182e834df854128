import { readFileSync } from 'node:fs'
import { createServer as createHttp, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type Koa from 'koa'
import { ServiceError } from '../errors.js'

export interface ServerOptions {
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  readonly readTimeoutMs: number
  readonly idleTimeoutMs: number
}

const headersTimeout = 10_000

/** An HTTP or HTTPS server for the app, with time-outs for slow requests; it does not listen yet. @throws CONFIG_INVALID for a bad certificate */
export function createServer<State>(app: Koa<State>, options: ServerOptions): Server {
  const timeouts = {
    headersTimeout: Math.min(headersTimeout, options.readTimeoutMs),
    requestTimeout: options.readTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    connectionsCheckingInterval: 1000,
  }
  const handle = app.callback()
  const listener = (...[request, response]: Parameters<typeof handle>): void => void handle(request, response)
  if (!options.tls) return createHttp(timeouts, listener)
  try {
    const [cert, key] = [readFileSync(options.tls.certFile), readFileSync(options.tls.keyFile)]
    return createHttps({ ...timeouts, cert, key }, listener) as Server
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ServiceError(
      'CONFIG_INVALID',
      `TLS configuration error: ${why} (server.tls_cert_file, server.tls_key_file)`,
      { cause: error },
    )
  }
}

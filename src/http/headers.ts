import { randomUUID } from 'node:crypto'
import type { Middleware } from 'koa'
import type { Logger } from 'pino'
import { normalizeTarget } from './path.js'
import type { State } from './state.js'

/** Arc's security headers; answers hold names of tokens' owners and of files, so no cache keeps them. */
export const alwaysSent = {
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'X-XSS-Protection': '1; mode=block',
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'Permissions-Policy': 'geolocation=(), microphone=(), camera=()',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
}

const preflight = {
  'Access-Control-Allow-Methods': 'GET,POST,PUT,DELETE,OPTIONS',
  'Access-Control-Allow-Headers': 'Origin,Content-Type,Accept,Authorization,x-api-key,x-arc-database,Content-Encoding',
}

/** What every answer has; a browser's question before a request is answered here, before anyone asks for a token. @param isShared may pages of other origins use the API? */
export function headers(log: Logger, isShared: boolean): Middleware<State> {
  return async (ctx, next) => {
    const id = randomUUID()
    ctx.state.requestId = id
    ctx.state.log = log.child({ request_id: id })
    // The path that routes are found by: another parser would see another one in `/a#/../b`, and let in whom this one keeps out.
    ctx.state.path = normalizeTarget(ctx.req) ? ctx.path : null
    ctx.set(alwaysSent)
    ctx.set('X-Request-Id', id)
    if (ctx.secure) ctx.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains')
    if (isShared && ctx.get('Origin') !== '') {
      ctx.set('Access-Control-Allow-Origin', '*')
      ctx.vary('Origin')
      if (ctx.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method') !== '') {
        ctx.vary('Access-Control-Request-Method')
        ctx.vary('Access-Control-Request-Headers')
        ctx.set(preflight)
        ctx.status = 204
        return
      }
    }
    await next()
  }
}

import { isIP } from 'node:net'
import type { Middleware } from 'koa'
import { ServiceError } from '../errors.js'
import type { State } from './state.js'

/**
 * Where authentication is off, whoever can send a request may restore and delete; and every page that a browser on this machine shows can send one, in the
 * browser's name. So requests of pages of another origin are refused, and, against names that were made to point here, requests under a name that is not this machine's own.
 *
 * @param isLocal does the service listen on this machine only?
 */
export function sameOrigin(isLocal: boolean): Middleware<State> {
  return async (ctx, next) => {
    const host = ctx.get('Host').toLowerCase()
    // Without its scheme: a proxy before this service may be the one that speaks TLS.
    const origin = ctx
      .get('Origin')
      .toLowerCase()
      .replace(/^https?:\/\//, '')
    const isForeign = (origin !== '' && origin !== host) || ctx.get('Sec-Fetch-Site').toLowerCase() === 'cross-site'
    if (isForeign || (isLocal && host !== '' && !isOwnName(host))) {
      throw new ServiceError('FORBIDDEN', 'Requests of other pages are refused while authentication is off')
    }
    await next()
  }
}

function isOwnName(host: string): boolean {
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || isIP(name) !== 0
}

import { createHash } from 'node:crypto'
import type { Middleware, ParameterizedContext } from 'koa'
import type { Authenticator } from '../auth/authenticator.js'
import { requireAdmin } from '../auth/authenticator.js'
import { extractCredential } from '../auth/credential.js'
import type { Operations } from './operations.js'
import { cleanPath } from './path.js'
import type { State } from './state.js'

/** Open to everyone for Arc, also those that are not served here: they are unknown, not forbidden. */
const arcsPublicPaths = ['/health', '/ready', '/api/v1/auth/verify', '/api/v1/internal/cache/invalidate']
/** What a client is generated from holds no more than this source does. */
const publicPaths = [...arcsPublicPaths, '/openapi.json']
const publicFolders = ['/metrics', '/api/v1/metrics']
const group = '/api/v1/backup'

/** Lets admins in, before any route is looked at, as Arc does. Without an authenticator (authentication is off) everyone. */
export function access(authenticator: Authenticator | null, operations: Operations): Middleware<State> {
  return async (ctx, next) => {
    ctx.state.caller = { name: 'anonymous', credential: null }
    const path = ctx.state.path ?? ''
    if (authenticator && !isPublic(cleanPath(path))) {
      const credential = extractCredential({
        authorization: ctx.get('Authorization'),
        apiKey: ctx.get('x-api-key'),
        query: queryToken(ctx),
      })
      if (!mayReadStatus(ctx.method, path, credential, operations)) {
        const verdict = await authenticator.authenticate(credential)
        if (isWithin(path.toLowerCase(), group)) requireAdmin(verdict)
        ctx.state.caller = { name: verdict.name, credential: verdict.credentialHash }
      }
    }
    await next()
  }
}

/**
 * A restore of `arc.db` may not lock out its own caller: who began an operation may read its status, and nothing else. This comes before the tokens are
 * looked at: the answer would be the same, but `arc.db` may be busy just then, and each look for a token that is gone may cost a hash.
 */
function mayReadStatus(method: string, path: string, credential: string | null, operations: Operations): boolean {
  if (credential === null || !['GET', 'HEAD'].includes(method)) return false
  if (path.toLowerCase().replace(/\/$/, '') !== `${group}/status`) return false
  return operations.mayReadStatus(createHash('sha256').update(credential).digest('hex'))
}

function isPublic(path: string): boolean {
  return publicPaths.includes(path) || publicFolders.some((folder) => isWithin(path, folder))
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function queryToken(ctx: ParameterizedContext<State>): string {
  const given = ctx.query.p
  return (Array.isArray(given) ? given[0] : given) ?? ''
}

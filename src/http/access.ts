import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import type { Middleware, ParameterizedContext } from 'koa'
import type { Authenticator } from '../auth/authenticator.js'
import { requireAdmin } from '../auth/authenticator.js'
import { extractCredential } from '../auth/credential.js'
import { isServiceError } from '../errors.js'
import type { Operations } from './operations.js'
import type { State } from './state.js'

const publicPaths = ['/health', '/ready']
const statusPath = '/api/v1/backup/status'

/** Lets admins in, before any route is looked at, as Arc does. Without an authenticator (authentication is off) everyone. */
export function access(authenticator: Authenticator | null, operations: Operations): Middleware<State> {
  return async (ctx, next) => {
    ctx.state.caller = { name: 'anonymous', credential: null }
    // Cleaned as Go's path.Clean does, so that /health/../api is no way round.
    const path = posix.normalize(ctx.path).replace(/(?<=.)\/$/, '')
    if (authenticator && !publicPaths.includes(path)) {
      const credential = extractCredential({
        authorization: ctx.get('Authorization'),
        apiKey: ctx.get('x-api-key'),
        query: queryToken(ctx),
      })
      try {
        const verdict = await authenticator.authenticate(credential)
        if (path.toLowerCase().startsWith('/api/v1/backup')) requireAdmin(verdict)
        ctx.state.caller = { name: verdict.name, credential: verdict.credentialHash }
      } catch (error) {
        if (!mayReadStatus(ctx, path, credential, operations, error)) throw error
      }
    }
    await next()
  }
}

/** A restore of `arc.db` may not lock out its own caller: who began an operation may read that operation's status, and nothing else. */
function mayReadStatus(
  ctx: ParameterizedContext<State>,
  path: string,
  credential: string | null,
  operations: Operations,
  error: unknown,
): boolean {
  if (!isServiceError(error, 'UNAUTHENTICATED', 'UNAVAILABLE', 'FORBIDDEN') || credential === null) return false
  if (path.toLowerCase() !== statusPath || !['GET', 'HEAD'].includes(ctx.method)) return false
  return operations.mayReadStatus(createHash('sha256').update(credential).digest('hex'))
}

function queryToken(ctx: ParameterizedContext<State>): string {
  const given = ctx.query.p
  return (Array.isArray(given) ? given[0] : given) ?? ''
}

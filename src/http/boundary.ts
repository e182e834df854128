import { Stream } from 'node:stream'
import type { Middleware, ParameterizedContext } from 'koa'
import { type ErrorCode, isServiceError, ServiceError } from '../errors.js'
import { toGoJson } from './json.js'
import { showPath } from './path.js'
import type { State } from './state.js'

/** Turns whatever was thrown into an answer with Arc's words, and logs what an operator should see. */
export const boundary: Middleware<State> = async (ctx, next) => {
  const began = performance.now()
  let failure: ServiceError | null = null
  try {
    if (ctx.state.path === null) throw new ServiceError('REQUEST_INVALID', 'Bad Request')
    await next()
  } catch (error) {
    failure = asFailure(error)
    if (failure.code === 'INTERNAL') ctx.state.log.error({ exception: describe(error) }, 'unexpected failure')
    ctx.status = failure.status
    if (failure.code === 'TOO_MANY_REQUESTS') ctx.set('Retry-After', String(failure.detail.retryAfterSeconds ?? 1))
    ctx.body = errorBody(failure, ctx.state.requestId)
    discardRest(ctx)
  }
  if (typeof ctx.body === 'object' && ctx.body !== null && !(ctx.body instanceof Stream)) {
    const text = toGoJson(ctx.body)
    ctx.set('Content-Type', 'application/json')
    ctx.body = Buffer.from(text)
  }
  if (ctx.status < 400) return
  const facts = {
    method: ctx.method,
    // Never the query: `?p=` holds a token.
    path: showPath(ctx.state.path ?? ''),
    status: ctx.status,
    duration_ms: Math.round(performance.now() - began),
    size: ctx.length ?? 0,
    ip: ctx.ip,
    // What the client did wrong is the client's business, and may quote what it sent.
    ...(failure && ctx.status >= 500 && reasonOf(failure)),
  }
  ctx.state.log[ctx.status >= 500 ? 'error' : 'warn'](facts, 'HTTP request error')
}

const credentialCodes: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN']

/** Arc's keys to the letter, then what every error of ours has. */
export function errorBody(failure: ServiceError, requestId: string): Record<string, unknown> {
  const { code, hint } = failure
  return { ...arcsBody(failure), code, ...(hint !== undefined && { hint }), request_id: requestId }
}

/** Keys in Arc's order: the alphabet's, then ours. */
function arcsBody(failure: ServiceError): Record<string, unknown> {
  const { code, message, detail } = failure
  if (credentialCodes.includes(code)) return { error: message, success: false }
  if (code === 'BUSY') {
    const { operation = 'unknown', heldBy } = detail
    return { error: message, ...(heldBy !== undefined && { held_by: heldBy }), operation, status: 'running' }
  }
  if (code === 'INTERNAL') return { error: 'Internal server error' }
  return {
    error: message,
    ...(typeof detail.explanation === 'string' && { detail: detail.explanation }),
    ...(Array.isArray(detail.changed) && { changed: detail.changed }),
    ...(Array.isArray(detail.unknownDatabases) && { unknown_databases: detail.unknownDatabases }),
  }
}

function reasonOf({ code, message, detail }: ServiceError): Record<string, unknown> {
  return { code, error: message, ...(typeof detail.explanation === 'string' && { explanation: detail.explanation }) }
}

function asFailure(error: unknown): ServiceError {
  if (isServiceError(error)) return error
  if ((error as { status?: unknown } | null)?.status === 413) {
    return new ServiceError('TOO_LARGE', 'Request Entity Too Large', { cause: error })
  }
  return new ServiceError('INTERNAL', 'Internal server error', { cause: error })
}

/**
 * Without this a body that was refused half-way stays where it is, and the connection hangs; closing it at once would take the answer from a
 * client that is still sending. The time-out for a request bounds it.
 */
function discardRest(ctx: ParameterizedContext<State>): void {
  if (ctx.req.complete) return
  ctx.req.unpipe()
  ctx.req.resume()
}

/** Only what is known to be harmless: errors of parsers carry the text that they could not read, and pino writes all that an error has. */
function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  return { type: name, message, stack, ...(cause !== undefined && { cause: describe(cause) }) }
}

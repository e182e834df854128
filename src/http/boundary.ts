import type { Middleware } from 'koa'
import { type ErrorCode, isServiceError, ServiceError } from '../errors.js'
import { toGoJson } from './json.js'
import type { State } from './state.js'

/** Turns whatever was thrown into an answer with Arc's words, and logs what an operator should see. */
export const boundary: Middleware<State> = async (ctx, next) => {
  const began = performance.now()
  try {
    await next()
  } catch (error) {
    const failure = asFailure(error)
    if (failure.code === 'INTERNAL') ctx.state.log.error({ err: error }, 'unexpected failure')
    ctx.status = failure.status
    if (failure.code === 'TOO_MANY_REQUESTS') ctx.set('Retry-After', String(failure.detail.retryAfterSeconds ?? 1))
    // What is left of a body that was refused is not read: the connection can't be used again.
    if (failure.code === 'TOO_LARGE') ctx.set('Connection', 'close')
    ctx.body = bodyOf(failure)
  }
  if (ctx.body !== null && ctx.body !== undefined && typeof ctx.body === 'object') {
    const text = toGoJson(ctx.body)
    ctx.set('Content-Type', 'application/json')
    ctx.body = Buffer.from(text)
  }
  if (ctx.status < 400) return
  const facts = {
    method: ctx.method,
    // Never the query: `?p=` holds a token.
    path: ctx.path.slice(0, 200),
    status: ctx.status,
    duration_ms: Math.round(performance.now() - began),
    size: ctx.length ?? 0,
    ip: ctx.ip,
  }
  ctx.state.log[ctx.status >= 500 ? 'error' : 'warn'](facts, 'HTTP request error')
}

const credentialCodes: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN']

function bodyOf(failure: ServiceError): Record<string, unknown> {
  const { code, message, detail } = failure
  if (credentialCodes.includes(code)) return { error: message, success: false }
  if (code === 'BUSY') return { error: message, operation: detail.operation ?? 'unknown', status: 'running' }
  if (code === 'INTERNAL') return { error: 'Internal server error' }
  return {
    error: message,
    ...(typeof detail.expected === 'string' && code === 'REQUEST_INVALID' && { detail: detail.expected }),
    ...(Array.isArray(detail.unknownDatabases) && { unknown_databases: detail.unknownDatabases }),
  }
}

function asFailure(error: unknown): ServiceError {
  if (isServiceError(error)) return error
  const status = (error as { status?: unknown }).status
  if (status === 413) return new ServiceError('TOO_LARGE', 'Request Entity Too Large', { cause: error })
  if (status === 400) return new ServiceError('REQUEST_INVALID', 'Invalid request body', { cause: error })
  return new ServiceError('INTERNAL', 'Internal server error', { cause: error })
}

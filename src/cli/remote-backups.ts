import { type ErrorCode, ServiceError } from '../errors.js'
import type { Backups, Body } from './backups.js'

/** Longest wait for an answer, in ms: a delete of a large backup is made durable before it is answered. */
const answerTimeout = 60_000

const codes: Record<number, ErrorCode> = {
  400: 'REQUEST_INVALID',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'BUSY',
  429: 'TOO_MANY_REQUESTS',
  503: 'UNAVAILABLE',
}

/**
 * A running service (ours, or Arc's own: the paths are the same).
 *
 * @param url base URL, e.g. `http://127.0.0.1:8010`
 * @param token an admin token, from the environment: an argument would show in the process list
 */
export function remoteBackups(url: string, token: string | undefined): Backups {
  const call = async (method: string, path: string, body?: Body): Promise<Body> => {
    const target = new URL(`/api/v1/backup${path}`, url)
    const headers = {
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    }
    const answer = await fetch(target, {
      method,
      headers,
      signal: AbortSignal.timeout(answerTimeout),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ServiceError('UNAVAILABLE', `cannot reach ${target.origin}: ${why}`, { cause: error })
    })
    const parsed = parse(await answer.text())
    if (answer.ok && parsed) return parsed
    const said = typeof parsed?.error === 'string' ? parsed.error : `HTTP ${answer.status} without a JSON body`
    const detail = typeof parsed?.detail === 'string' ? `: ${parsed.detail}` : ''
    throw new ServiceError(codes[answer.status] ?? 'INTERNAL', `${target.origin} says: ${said}${detail}`)
  }
  const start = async (path: string, request: Body): Promise<{ backupId: string }> => {
    const answer = await call('POST', path, request)
    return { backupId: String(answer.backup_id ?? request.backup_id ?? '') }
  }
  return {
    startBackup: (request) => start('', request),
    startRestore: (request) => start('/restore', { ...request, confirm: true }),
    deleteBackup: async (id, target) => void (await call('DELETE', pathOf(id, target))),
    list: () => call('GET', ''),
    show: (id, target) => call('GET', pathOf(id, target)),
    status: () => call('GET', '/status'),
    cancel: async () => void (await call('POST', '/cancel')),
    close: async () => {},
  }
}

function pathOf(id: string, target: string | undefined): string {
  return `/${encodeURIComponent(id)}${target === undefined ? '' : `?target=${encodeURIComponent(target)}`}`
}

function parse(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined
  } catch {
    return undefined
  }
}

import { text as textOf } from 'node:stream/consumers'
import { type ErrorCode, errorCodes, ServiceError } from '../errors.js'
import { parseBackupId } from '../http/requests.js'
import type { Backups, Begun, Body } from './backups.js'
import { followOperation } from './event-stream.js'
import { Sender, type Sent, type TlsFiles } from './sender.js'

/** Longest wait for an answer, in ms: a delete of a large backup is made durable before it is answered. */
const answerTimeout = 60_000
/** The same where all files are looked at first. */
const planTimeout = 15 * 60_000

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
 * @param files what a service sees and shows, where the URL is `https:`
 * @throws REQUEST_INVALID for what is no such URL or token; neither is repeated
 */
export function remoteBackups(url: string, token: string | undefined, files: TlsFiles = {}): Backups {
  const base = parseUrl(url)
  // A header takes no others.
  if (token && !/^[ -~]+$/.test(token)) {
    throw new ServiceError('REQUEST_INVALID', 'ARC_TOKEN has a character that no token has')
  }
  const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
  const sender = new Sender(base, files)
  /** The whole answer: its body may break off too. */
  const exchange = async (target: URL, sent: Sent): Promise<{ status: number; text: string }> => {
    const answer = await sender.send(target, sent)
    return { status: answer.statusCode ?? 0, text: await textOf(answer) }
  }
  const call = async (method: string, path: string, body?: Body, timeout = answerTimeout): Promise<Body> => {
    const target = new URL(`api/v1/backup${path}`, base)
    const headers = {
      accept: 'application/json',
      ...authorization,
      ...(body && { 'content-type': 'application/json' }),
    }
    const { status, text } = await exchange(target, {
      method,
      headers,
      signal: AbortSignal.timeout(timeout),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new ServiceError('UNAVAILABLE', `cannot reach ${target.origin}: ${reasonOf(error)}`, { cause: error })
    })
    const parsed = parse(text)
    if (status >= 200 && status < 300 && parsed) return parsed
    const said = typeof parsed?.error === 'string' ? parsed.error : `HTTP ${status} without a JSON body`
    const detail = typeof parsed?.detail === 'string' ? `: ${parsed.detail}` : ''
    const code = errorCodes.find((known) => known === parsed?.code) ?? codes[status] ?? 'INTERNAL'
    throw new ServiceError(code, `${target.origin} says: ${said}${detail}`)
  }
  const start = async (path: string, request: Body): Promise<Begun> => {
    const answer = await call('POST', path, request, request.plan_id === undefined ? answerTimeout : planTimeout)
    const { backup_id: backupId = request.backup_id ?? '', operation_id: operationId = '' } = answer
    return { backupId: String(backupId), operationId: String(operationId) }
  }
  return {
    startBackup: (request) => start('', request),
    startRestore: (request) => start('/restore', { ...request, confirm: true }),
    planRestore: (request) => call('POST', '/restore', { ...request, dry_run: true }, planTimeout),
    startVerify: (id, request) => start(`/${parseBackupId(id)}/verify`, request),
    deleteBackup: async (id, target) => void (await call('DELETE', pathOf(id, target))),
    startPrune: (request) => start('/prune', request),
    planPrune: (request) => call('POST', '/prune', { ...request, dry_run: true }),
    pin: (id, target) => call('POST', pathOf(id, target, '/pin')),
    unpin: (id, target) => call('DELETE', pathOf(id, target, '/pin')),
    list: () => call('GET', ''),
    show: async (id, target) => call('GET', pathOf(id, target)),
    status: () => call('GET', '/status'),
    follow: (id) => followOperation(sender, new URL('api/v1/backup/events', base), authorization, id),
    operation: (id) => call('GET', operationPath(id)),
    findingsOf: (id) => `${new URL(`api/v1/backup/operations/${id}/findings`, base)}`,
    cancel: async (id) => void (await call('POST', id === undefined ? '/cancel' : `${operationPath(id)}/cancel`)),
    resume: (operation) => start(`${operationPath(operation)}/resume`, {}),
    discard: async (operation) => void (await call('POST', `${operationPath(operation)}/discard`)),
    limits: (change) => (change ? call('PATCH', '/limits', change) : call('GET', '/limits')),
    sweep: async () => refuseRemote('sweep'),
    undo: async () => refuseRemote('undo'),
    close: async () => sender.close(),
  }
}

function operationPath(id: string): string {
  if (/^[0-9a-f]{12}$/.test(id)) return `/operations/${id}`
  throw new ServiceError(
    'REQUEST_INVALID',
    `${JSON.stringify(id.slice(0, 40))} is no operation's id: expected 12 hex digits`,
  )
}

function refuseRemote(command: string): never {
  throw new ServiceError('REQUEST_INVALID', `${command} works on the files themselves, not with --url`)
}

function pathOf(id: string, target: string | undefined, below = ''): string {
  return `/${parseBackupId(id)}${below}${target === undefined ? '' : `?target=${encodeURIComponent(target)}`}`
}

/** The base with a slash at its end, so that a path before ours (a proxy's) is kept. */
function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new ServiceError('REQUEST_INVALID', '--url must be like http://127.0.0.1:8010, without user or password')
  }
  return new URL(`${url.origin}${url.pathname.replace(/\/*$/, '/')}`)
}

/** OpenSSL's messages have numbers and places in its source around what it means. */
function reasonOf(error: unknown): string {
  const { reason, code, cause } = error as { reason?: unknown; code?: unknown; cause?: unknown }
  if (/_CERTIFICATE_REQUIRED$/.test(String(code))) return 'it asks for a certificate: --cert'
  if (typeof reason === 'string') return reason
  const root = cause instanceof Error ? cause : error
  return root instanceof Error ? root.message : String(root)
}

function parse(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined
  } catch {
    return undefined
  }
}

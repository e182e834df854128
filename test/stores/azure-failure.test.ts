import { createHttpHeaders, createPipelineRequest, type PipelineResponse, RestError } from '@azure/core-rest-pipeline'
import t from 'tap'
import { ServiceError } from '../../src/errors.js'
import { azureFailure, type Verb } from '../../src/stores/azure-failure.js'

const secret = 'sig=c2VjcmV0'
const place = (verb: Verb) => ({ verb, path: 'a/b', url: 'azure://account/container' })

/** What no Azurite answers, in the words of https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
t.test('answers of the service', async (t) => {
  const rows: [number, string, Verb, string, RegExp][] = [
    [
      404,
      'BlobNotFound',
      'read',
      'STORE_NOT_FOUND',
      /cannot read "a\/b" at azure:\/\/account\/container: it does not exist/,
    ],
    [404, '', 'stat', 'STORE_NOT_FOUND', /does not exist/],
    [404, 'ResourceNotFound', 'list', 'BUCKET_NOT_FOUND', /create it/],
    [409, 'ContainerBeingDeleted', 'write', 'BUCKET_NOT_FOUND', /being deleted/],
    [403, '', 'write', 'STORE_AUTH', /check the account name/],
    [403, 'KeyBasedAuthenticationNotPermitted', 'read', 'STORE_AUTH', /use a managed identity/],
    [403, 'AuthorizationPermissionMismatch', 'remove', 'READ_ONLY', /rights to create, write and delete/],
    [403, 'InsufficientAccountPermissions', 'list', 'STORE_DENIED', /reading and listing/],
    [409, 'BlobImmutableDueToPolicy', 'remove', 'OBJECT_LOCKED', /immutability policy/],
    [409, 'BlobBeingRehydrated', 'read', 'ARCHIVED', /try again later/],
    [400, 'Md5Mismatch', 'write', 'STORE_UNREACHABLE', /damaged on the way/],
    [400, 'InvalidUri', 'write', 'PATH_INVALID', /such a name/],
    [412, 'ConditionNotMet', 'read', 'SOURCE_CHANGED', /another version/],
    [412, 'ConditionNotMet', 'write', 'STORE_EXISTS', /exists already/],
    [503, 'ServerBusy', 'write', 'THROTTLED', /fewer requests/],
    [429, '', 'write', 'THROTTLED', /fewer requests/],
    [500, 'InternalError', 'read', 'STORE_UNREACHABLE', /fault of its own/],
    [500, 'OperationTimedOut', 'read', 'STORE_TIMEOUT', /in time/],
    [502, '', 'read', 'STORE_UNREACHABLE', /gateway/],
    [507, '', 'write', 'STORE_FULL', /full/],
    [418, 'Teapot', 'read', 'INTERNAL', /answered 418 Teapot/],
  ]
  for (const [status, azure, verb, code, message] of rows) {
    const failure = azureFailure(answer(status, azure), place(verb))
    t.match(
      { code: failure.code, message: failure.message, detail: failure.detail },
      { code, message, detail: { verb, path: 'a/b', status } },
    )
  }
})

t.test('a clock that is off, by what Azure says or by its own clock', async (t) => {
  const old = '<AuthenticationErrorDetail>Request date header too old</AuthenticationErrorDetail>'
  const hour = new Date(Date.now() - 3_600_000).toUTCString()
  for (const error of [
    answer(403, 'AuthenticationFailed', old),
    answer(403, 'AuthenticationFailed', '', { date: hour }),
  ]) {
    t.match(azureFailure(error, place('read')), { code: 'CLOCK_SKEW', message: /15 minutes/ })
  }
  const now = answer(403, 'AuthenticationFailed', '', { date: new Date().toUTCString() })
  t.equal(azureFailure(now, place('read')).code, 'STORE_AUTH')
})

t.test('a token that has ended, by what Azure says or by what is written in it', async (t) => {
  const frame = answer(403, 'AuthenticationFailed', 'Signature not valid in the specified time frame')
  t.match(azureFailure(frame, place('read')), { code: 'STORE_AUTH', message: /expired or is not valid yet/ })
  const ended = azureFailure(answer(403, 'AuthorizationFailure'), { ...place('read'), expiry: '2020-01-01T00:00:00Z' })
  t.match(ended, { code: 'STORE_AUTH', message: /expired \(2020-01-01/ })
  const valid = azureFailure(answer(403, 'AuthorizationFailure'), { ...place('read'), expiry: '2999-01-01T00:00:00Z' })
  t.match(valid, { code: 'STORE_AUTH', message: /firewall/ })
})

t.test('connections, names and certificates', async (t) => {
  const rows: [string, string][] = [
    ['ECONNREFUSED', 'STORE_UNREACHABLE'],
    ['ECONNRESET', 'STORE_UNREACHABLE'],
    ['ENOTFOUND', 'STORE_UNREACHABLE'],
    ['ETIMEDOUT', 'STORE_TIMEOUT'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TLS'],
    ['CERT_HAS_EXPIRED', 'TLS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'TLS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TLS'],
    ['EWHATEVER', 'INTERNAL'],
  ]
  for (const [system, code] of rows) {
    t.match(azureFailure(Object.assign(new Error(secret), { code: system }), place('read')).code, code, system)
    t.match(azureFailure(new RestError(secret, { code: system }), place('read')), { code, detail: { system } })
  }
})

t.test('no token for a managed identity', async (t) => {
  const error = Object.assign(new Error('…'), { name: 'CredentialUnavailableError' })
  t.match(azureFailure(error, place('list')), {
    code: 'STORE_AUTH',
    message: /no managed identity .*CredentialUnavailableError/,
  })
})

t.test('how long to wait is passed on', async (t) => {
  const failure = azureFailure(answer(503, 'ServerBusy', '', { 'retry-after': '7' }), place('read'))
  t.match(failure.detail, { retryAfterMs: 7000 })
  const date = new Date(Date.now() + 60_000).toUTCString()
  const later = azureFailure(answer(503, 'ServerBusy', '', { 'retry-after': date }), place('read'))
  t.ok(Number(later.detail.retryAfterMs) > 50_000)
  t.notOk('retryAfterMs' in azureFailure(answer(503, 'ServerBusy'), place('read')).detail)
})

t.test('a bug keeps its stack, a request and its answer are left out, a ServiceError passes', async (t) => {
  const bug = new TypeError('x is not a function')
  t.match(azureFailure(bug, place('read')), { code: 'INTERNAL', cause: bug })
  t.equal(azureFailure('thrown text', place('read')).code, 'INTERNAL')
  const passing = new ServiceError('INTEGRITY', 'x')
  t.equal(azureFailure(passing, place('read')), passing)
  const failure = azureFailure(answer(418, 'Teapot', secret), place('read'))
  t.notOk(JSON.stringify([failure, failure.message, failure.detail, failure.cause]).includes(secret))
})

function answer(status: number, azure: string, text = '', more: Record<string, string> = {}): RestError {
  const request = createPipelineRequest({ url: `https://account.blob.core.windows.net/container/a?${secret}` })
  const headers = createHttpHeaders({ ...(azure !== '' && { 'x-ms-error-code': azure }), ...more })
  const response: PipelineResponse = { request, status, headers, bodyAsText: text }
  return new RestError(`refused ${secret}`, { statusCode: status, request, response })
}

import { isRestError } from '@azure/core-rest-pipeline'
import { type ErrorCode, ServiceError, systemCode } from '../errors.js'
import { Stalled } from './http-connection.js'
import { quote } from './path.js'
import { retryAfter } from './retry-after.js'

export type Verb = 'read' | 'write' | 'list' | 'remove' | 'stat'

interface Meaning {
  readonly code: ErrorCode
  readonly why: string
}

/** Azure's own error codes: they say more than the status, with which several come. */
const answers: Record<string, Meaning> = {
  ContainerNotFound: { code: 'BUCKET_NOT_FOUND', why: 'the container does not exist; create it, or correct its name' },
  ContainerBeingDeleted: { code: 'BUCKET_NOT_FOUND', why: 'the container is being deleted' },
  ContainerDisabled: { code: 'BUCKET_NOT_FOUND', why: 'the container is disabled' },
  BlobNotFound: { code: 'STORE_NOT_FOUND', why: 'it does not exist' },
  ResourceNotFound: { code: 'STORE_NOT_FOUND', why: 'it does not exist' },
  BlobAlreadyExists: { code: 'STORE_EXISTS', why: 'it exists already' },
  InvalidBlockList: { code: 'STORE_EXISTS', why: 'another writer replaced it meanwhile' },
  InvalidRange: { code: 'SOURCE_CHANGED', why: 'it is shorter than it was' },
  BlobArchived: { code: 'ARCHIVED', why: 'it is in the archive tier; rehydrate it to the hot or cool tier first' },
  BlobBeingRehydrated: {
    code: 'ARCHIVED',
    why: 'it is still being brought back from the archive tier; try again later',
  },
  LeaseIdMissing: { code: 'OBJECT_LOCKED', why: 'somebody holds a lease on it' },
  SnapshotsPresent: { code: 'OBJECT_LOCKED', why: 'it has snapshots, which are not removed with it' },
  Md5Mismatch: { code: 'STORE_UNREACHABLE', why: 'its bytes were damaged on the way' },
  AuthorizationFailure: {
    code: 'STORE_AUTH',
    why: "Azure refuses these credentials, or this machine's network; check the key or SAS token, and the firewall of the account",
  },
  AuthenticationFailed: {
    code: 'STORE_AUTH',
    why: 'Azure does not accept the credentials; check the account name and its key, SAS token or identity',
  },
  InvalidAuthenticationInfo: {
    code: 'STORE_AUTH',
    why: 'Azure does not accept the credentials; check the account name and its key, SAS token or identity',
  },
  NoAuthenticationInformation: { code: 'STORE_AUTH', why: 'Azure asks for credentials' },
  KeyBasedAuthenticationNotPermitted: {
    code: 'STORE_AUTH',
    why: 'the account does not allow access by key; use a managed identity',
  },
  AccountIsDisabled: { code: 'STORE_AUTH', why: 'the storage account is disabled' },
  AccountRequiresHttps: { code: 'STORE_AUTH', why: 'the storage account takes https only; correct the endpoint' },
  PublicAccessNotPermitted: { code: 'STORE_AUTH', why: 'the account does not allow access without credentials' },
  ServerBusy: { code: 'THROTTLED', why: 'Azure is busy and asks for fewer requests' },
  OperationTimedOut: { code: 'STORE_TIMEOUT', why: 'Azure did not complete the request in time' },
  InvalidUri: { code: 'PATH_INVALID', why: 'Azure does not take such a name' },
  InvalidResourceName: { code: 'PATH_INVALID', why: 'Azure does not take such a name' },
}

/** What Azure says where the credentials are good and the right for this one thing is missing. */
const noRight = /^(?:Authorization\w+Mismatch|InsufficientAccountPermissions|UnauthorizedBlobOverwrite)$/

const statuses: Record<number, Meaning> = {
  401: { code: 'STORE_AUTH', why: 'Azure does not accept the credentials' },
  403: {
    code: 'STORE_AUTH',
    why: 'Azure refuses the credentials; check the account name and its key, SAS token or identity',
  },
  404: { code: 'STORE_NOT_FOUND', why: 'it does not exist' },
  407: { code: 'STORE_AUTH', why: 'the proxy asks for credentials: put them into HTTPS_PROXY' },
  408: { code: 'STORE_TIMEOUT', why: 'the request took too long' },
  429: { code: 'THROTTLED', why: 'Azure asks for fewer requests' },
  500: { code: 'STORE_UNREACHABLE', why: 'Azure has a fault of its own' },
  502: { code: 'STORE_UNREACHABLE', why: 'a gateway in between gets no answer from Azure' },
  503: { code: 'THROTTLED', why: 'Azure is busy' },
  504: { code: 'STORE_TIMEOUT', why: 'a gateway in between gets no answer from Azure in time' },
  507: { code: 'STORE_FULL', why: 'the storage account is full' },
}

const network: Record<string, Meaning> = {
  ECONNREFUSED: { code: 'STORE_UNREACHABLE', why: 'nothing listens there; check the endpoint and its port' },
  ENOTFOUND: { code: 'STORE_UNREACHABLE', why: 'its host is not known; check the account name and the endpoint' },
  EAI_AGAIN: { code: 'STORE_UNREACHABLE', why: 'the name server gives no answer' },
  EHOSTUNREACH: { code: 'STORE_UNREACHABLE', why: 'there is no route to its host' },
  ENETUNREACH: { code: 'STORE_UNREACHABLE', why: 'there is no route to its network' },
  ECONNRESET: { code: 'STORE_UNREACHABLE', why: 'the connection was cut' },
  ECONNABORTED: { code: 'STORE_UNREACHABLE', why: 'the connection was cut' },
  EPIPE: { code: 'STORE_UNREACHABLE', why: 'the connection was cut' },
  ERR_STREAM_PREMATURE_CLOSE: { code: 'STORE_UNREACHABLE', why: 'the connection was cut' },
  REQUEST_SEND_ERROR: { code: 'STORE_UNREACHABLE', why: 'the connection broke' },
  ETIMEDOUT: { code: 'STORE_TIMEOUT', why: 'the connection gave no answer' },
  HPE_MALFORMED: { code: 'STORE_UNREACHABLE', why: 'what answers there does not speak HTTP; check the endpoint' },
}

/** Names of TLS failures: OpenSSL's own, and those of checks on certificates. */
const tls = /^(?:ERR_TLS|ERR_SSL|EPROTO$|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH)/

/** What the failure is about, for the message and for the caller. */
export interface Place {
  readonly verb: Verb
  /** As the caller named it. */
  readonly path: string
  /** The store's URL for people. */
  readonly url: string
  /** When the SAS token in use ends, where there is one. */
  readonly expiry?: string | undefined
}

/**
 * Any failure of a request as a ServiceError: "cannot <verb> <path> at <url>: <why>". What is not recognised is INTERNAL. Azure's answer and the request
 * are left out of it, as message and as cause: they hold the signature of a SAS token, or the header that the key signed.
 * `detail.verb` says which side of a copy failed, `detail.retryAfterMs` how long Azure asks to wait.
 */
export function azureFailure(error: unknown, place: Place): ServiceError {
  if (error instanceof ServiceError) return error
  const { code, why } = withExpiry(meaningOf(error, place.verb), place.expiry)
  const message = `cannot ${place.verb} ${quote(place.path)} at ${place.url}: ${why}`
  return new ServiceError(code, message, {
    verb: place.verb,
    path: place.path,
    store: place.url,
    ...answerOf(error),
    // A bug of ours is looked for by its stack; an answer of the service has none that helps.
    ...(code === 'INTERNAL' && !isRestError(error) && { cause: error }),
  })
}

/** Azure does not always say what is wrong with a token, but its end is written in it. */
function withExpiry(meaning: Meaning, expiry: string | undefined): Meaning {
  if (meaning.code !== 'STORE_AUTH' || expiry === undefined || !(Date.parse(expiry) < Date.now())) return meaning
  return { code: 'STORE_AUTH', why: `the SAS token has expired (${expiry}); issue a new one` }
}

function meaningOf(error: unknown, verb: Verb): Meaning {
  if (!(error instanceof Error)) return { code: 'INTERNAL', why: String(error) }
  // Nobody but our own deadlines aborts a request.
  if (error instanceof Stalled) return { code: 'STORE_TIMEOUT', why: error.message }
  if (error.name === 'AbortError' || error.name === 'TimeoutError') {
    return { code: 'STORE_TIMEOUT', why: 'no byte moved for too long' }
  }
  if (isRestError(error) && error.statusCode !== undefined) {
    return refusalOf(
      error.statusCode,
      serviceCode(error),
      error.response?.bodyAsText ?? '',
      error.response?.headers.get('date'),
      verb,
    )
  }
  const system = systemCode(error) ?? ''
  if (network[system]) return network[system]
  if (tls.test(system))
    return { code: 'TLS', why: `its certificate or its TLS is not accepted (${system}); see NODE_EXTRA_CA_CERTS` }
  // The classes of `@azure/identity`, which is loaded for managed identities only.
  if (/Credential|Authentication/.test(error.name)) {
    return { code: 'STORE_AUTH', why: `there is no managed identity or it gets no token (${error.name})` }
  }
  return { code: 'INTERNAL', why: isRestError(error) ? `unknown failure ${system}` : error.message }
}

function refusalOf(status: number, azure: string, text: string, date: string | undefined, verb: Verb): Meaning {
  const writes = verb === 'write' || verb === 'remove'
  if (azure === 'ConditionNotMet' || status === 412) {
    return answers[azure] ?? (writes ? answers.BlobAlreadyExists : undefined) ?? changed
  }
  if (azure.startsWith('BlobImmutable')) {
    return { code: 'OBJECT_LOCKED', why: 'an immutability policy or a legal hold protects it' }
  }
  // So the emulator says it.
  if (azure === 'InvalidOperation' && /MD5/.test(text)) return answers.Md5Mismatch ?? changed
  if (noRight.test(azure)) {
    return writes
      ? {
          code: 'READ_ONLY',
          why: `the credentials do not allow it (${azure}); a target needs the rights to create, write and delete`,
        }
      : { code: 'STORE_DENIED', why: `the credentials do not allow it (${azure}); reading and listing are needed` }
  }
  if (azure === 'AuthenticationFailed') {
    if (isSkewed(text, date))
      return { code: 'CLOCK_SKEW', why: 'the clock of this machine is more than 15 minutes off' }
    if (/time frame/.test(text))
      return { code: 'STORE_AUTH', why: 'the SAS token has expired or is not valid yet; issue a new one' }
  }
  // A listing names no blob: what is not found then is the container.
  if (verb === 'list' && status === 404) return answers.ContainerNotFound ?? changed
  return answers[azure] ?? statuses[status] ?? { code: 'INTERNAL', why: `Azure answered ${status} ${azure}` }
}

const changed: Meaning = { code: 'SOURCE_CHANGED', why: 'it is another version than the one that was listed' }

function isSkewed(text: string, date: string | undefined): boolean {
  return /date header too old/i.test(text) || Math.abs(Date.parse(date ?? '') - Date.now()) > 15 * 60_000
}

/** Azure's name for the failure: in the header, as a HEAD has no body, and in what the SDK read from the body of a batch. */
export function serviceCode(error: unknown): string {
  if (!isRestError(error)) return ''
  return error.response?.headers.get('x-ms-error-code') ?? (error.statusCode === undefined ? '' : (error.code ?? ''))
}

function answerOf(error: unknown): Record<string, unknown> {
  if (!isRestError(error)) return systemCode(error) === undefined ? {} : { system: systemCode(error) }
  if (error.statusCode === undefined) return { system: error.code }
  const headers = error.response?.headers
  const retryAfterMs = retryAfter(headers?.get('retry-after'))
  return {
    status: error.statusCode,
    azure: serviceCode(error),
    request: headers?.get('x-ms-request-id'),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}

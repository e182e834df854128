import { type ErrorCode, ServiceError, systemCode } from '../errors.js'
import { Stalled } from './http-connection.js'
import { quote } from './path.js'
import { retryAfter } from './retry-after.js'

export type Verb = 'read' | 'write' | 'list' | 'remove' | 'stat'

/** What a service said instead of doing it: S3's `<Code>` and `<Message>`, or no code where the answer had no body. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly region: string | undefined
  readonly retryAfterMs: number | undefined
  /** The service's clock, ms since the epoch. */
  readonly serverTime: number | undefined

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, unknown>>) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.code = code
    this.region = text(headers['x-amz-bucket-region'])
    this.retryAfterMs = retryAfter(text(headers['retry-after']))
    this.serverTime = Date.parse(text(headers.date) ?? '') || undefined
  }
}

/** Where a failure happened, for its message. */
export interface Place {
  /** `s3://bucket/prefix` */
  readonly url: string
  /** `https://host:port` */
  readonly origin: string
  readonly region: string
}

interface Meaning {
  readonly code: ErrorCode
  readonly why: string
}

const credentials = 'check the access key, its secret and the session token'

const meanings: Readonly<Record<string, Meaning>> = {
  NoSuchKey: { code: 'STORE_NOT_FOUND', why: 'it does not exist' },
  NotFound: { code: 'STORE_NOT_FOUND', why: 'it does not exist' },
  NoSuchVersion: { code: 'STORE_NOT_FOUND', why: 'it does not exist' },
  NoSuchBucket: {
    code: 'BUCKET_NOT_FOUND',
    why: 'the bucket does not exist: check its name, the endpoint and the account',
  },
  InvalidBucketName: { code: 'BUCKET_NOT_FOUND', why: 'this can not be the name of a bucket' },
  InvalidAccessKeyId: { code: 'STORE_AUTH', why: `the service does not know this access key: ${credentials}` },
  SignatureDoesNotMatch: {
    code: 'STORE_AUTH',
    why: `the signature is wrong: ${credentials}, and that no proxy changes requests`,
  },
  InvalidToken: { code: 'STORE_AUTH', why: `the session token is not valid: ${credentials}` },
  InvalidTokenId: { code: 'STORE_AUTH', why: `the session token is not valid: ${credentials}` },
  InvalidClientTokenId: { code: 'STORE_AUTH', why: `the service does not know this access key: ${credentials}` },
  ExpiredToken: { code: 'STORE_AUTH', why: 'the session token has expired: get a new one' },
  ExpiredTokenException: { code: 'STORE_AUTH', why: 'the session token has expired: get a new one' },
  TokenRefreshRequired: { code: 'STORE_AUTH', why: 'the session token has expired: get a new one' },
  CredentialsProviderError: {
    code: 'STORE_AUTH',
    why: 'no credentials were found: set an access key, or AWS_PROFILE, or give the host a role',
  },
  RequestTimeTooSkewed: { code: 'CLOCK_SKEW', why: 'the clocks differ too much: set the time of this host, by NTP' },
  PermanentRedirect: { code: 'WRONG_REGION', why: 'the bucket is in another region' },
  TemporaryRedirect: { code: 'WRONG_REGION', why: 'the bucket is in another region' },
  AuthorizationHeaderMalformed: { code: 'WRONG_REGION', why: 'the service expects another region' },
  IllegalLocationConstraintException: { code: 'WRONG_REGION', why: 'the bucket is in another region' },
  InvalidObjectState: {
    code: 'ARCHIVED',
    why: 'it is in an archive class: restore it there first (aws s3api restore-object)',
  },
  ObjectLocked: { code: 'OBJECT_LOCKED', why: 'it is under a retention or a legal hold' },
  SlowDown: { code: 'THROTTLED', why: 'the service asks for fewer requests' },
  SlowDownRead: { code: 'THROTTLED', why: 'the service asks for fewer requests' },
  SlowDownWrite: { code: 'THROTTLED', why: 'the service asks for fewer requests' },
  Throttling: { code: 'THROTTLED', why: 'the service asks for fewer requests' },
  ThrottlingException: { code: 'THROTTLED', why: 'the service asks for fewer requests' },
  RequestLimitExceeded: { code: 'THROTTLED', why: 'the service asks for fewer requests' },
  BandwidthLimitExceeded: { code: 'THROTTLED', why: 'the service asks for fewer bytes' },
  OperationAborted: { code: 'THROTTLED', why: 'another request for it is under way' },
  ConditionalRequestConflict: { code: 'THROTTLED', why: 'another request for it is under way' },
  RequestTimeout: { code: 'STORE_TIMEOUT', why: 'the service waited too long for the bytes' },
  BadDigest: { code: 'STORE_UNREACHABLE', why: 'the bytes were damaged on their way' },
  XAmzContentSHA256Mismatch: { code: 'STORE_UNREACHABLE', why: 'the bytes were damaged on their way' },
  XAmzContentChecksumMismatch: { code: 'STORE_UNREACHABLE', why: 'the bytes were damaged on their way' },
  IncompleteBody: { code: 'STORE_UNREACHABLE', why: 'the request was cut off' },
  EntityTooLarge: { code: 'STORE_FULL', why: 'it is larger than the service takes' },
  QuotaExceeded: { code: 'STORE_FULL', why: "the bucket's quota is used up" },
  XMinioAdminBucketQuotaExceeded: { code: 'STORE_FULL', why: "the bucket's quota is used up" },
  XMinioStorageFull: { code: 'STORE_FULL', why: 'no space left on the service' },
  KeyTooLongError: { code: 'PATH_INVALID', why: 'the name is longer than the service takes' },
  InvalidURI: { code: 'PATH_INVALID', why: 'the service does not take this name' },
  XMinioInvalidObjectName: { code: 'PATH_INVALID', why: 'the service does not take this name' },
  XMinioInvalidResourceName: { code: 'PATH_INVALID', why: 'the service does not take this name' },
  XMinioParentIsObject: { code: 'PATH_INVALID', why: 'a part of the path is an object there' },
  XMinioObjectExistsAsDirectory: { code: 'PATH_INVALID', why: 'there are objects below this name' },
  NotImplemented: { code: 'CONFIG_INVALID', why: 'the service does not offer what the configuration asks for' },
  InvalidStorageClass: { code: 'CONFIG_INVALID', why: 'the service does not know this storage class' },
}

const byStatus: Readonly<Record<number, Meaning>> = {
  301: { code: 'WRONG_REGION', why: 'the bucket is in another region' },
  307: { code: 'WRONG_REGION', why: 'the bucket is in another region' },
  401: { code: 'STORE_AUTH', why: credentials },
  404: { code: 'STORE_NOT_FOUND', why: 'it does not exist' },
  407: { code: 'STORE_AUTH', why: 'the proxy asks for credentials: put them into HTTPS_PROXY' },
  408: { code: 'STORE_TIMEOUT', why: 'the service waited too long for the bytes' },
  429: { code: 'THROTTLED', why: 'the service asks for fewer requests' },
  500: { code: 'STORE_UNREACHABLE', why: 'the service failed' },
  502: { code: 'STORE_UNREACHABLE', why: 'a gateway did not reach the service' },
  503: { code: 'THROTTLED', why: 'the service is not available' },
  504: { code: 'STORE_TIMEOUT', why: 'a gateway waited too long for the service' },
  507: { code: 'STORE_FULL', why: 'no space left on the service' },
}

const network: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: { code: 'STORE_UNREACHABLE', why: 'nothing listens there' },
  ECONNRESET: { code: 'STORE_UNREACHABLE', why: 'the connection was cut' },
  ECONNABORTED: { code: 'STORE_UNREACHABLE', why: 'the connection was cut' },
  EPIPE: { code: 'STORE_UNREACHABLE', why: 'the connection was cut' },
  ETIMEDOUT: { code: 'STORE_TIMEOUT', why: 'no answer' },
  ENOTFOUND: { code: 'STORE_UNREACHABLE', why: 'this host name is not known' },
  EAI_AGAIN: { code: 'STORE_UNREACHABLE', why: 'the name server gives no answer' },
  EHOSTUNREACH: { code: 'STORE_UNREACHABLE', why: 'no way leads to this host' },
  ENETUNREACH: { code: 'STORE_UNREACHABLE', why: 'no way leads to this network' },
  EHOSTDOWN: { code: 'STORE_UNREACHABLE', why: 'this host is down' },
  EADDRNOTAVAIL: { code: 'STORE_UNREACHABLE', why: 'this host has no port left for a connection' },
}

const tlsCode =
  /^(?:ERR_TLS|ERR_SSL|EPROTO$|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|CRL_|HOSTNAME_MISMATCH)/

/**
 * What S3, the SDK or the network threw as a ServiceError: "cannot <verb> <path> at <url>: <why>", with a hint for the operator. What is not recognised is INTERNAL.
 * `detail.retryAfterMs` is how long the service asks to wait. What a service says is passed on only where it helps; it never holds a secret key.
 */
export function s3Failure(error: unknown, verb: Verb, path: string, place: Place): ServiceError {
  if (error instanceof ServiceError) return error
  const { code, why, ...detail } = explain(error, verb, place)
  const message = `cannot ${verb} ${path === '' ? 'the root' : quote(path)} at ${place.url}: ${why}`
  return new ServiceError(code, message, { cause: error, verb, path, store: place.url, ...detail })
}

/** Must the credentials be asked for again? */
export function isExpired(error: unknown): boolean {
  return /^(?:ExpiredToken|ExpiredTokenException|TokenRefreshRequired)$/.test(refusalOf(error)?.code ?? '')
}

/** The service's own code ("NoSuchUpload"), or undefined where no service spoke. */
export function serviceCode(error: unknown): string | undefined {
  return refusalOf(error)?.code
}

function explain(error: unknown, verb: Verb, place: Place): Meaning & { retryAfterMs?: number; service?: string } {
  const refusal = refusalOf(error)
  if (refusal) {
    const { retryAfterMs } = refusal
    return {
      ...explainRefusal(refusal, verb, place),
      ...(refusal.code !== '' && { service: refusal.code }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    }
  }
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof Stalled) return { code: 'STORE_TIMEOUT', why: `${message} at ${place.origin}` }
  if (error instanceof Error && error.name === 'CredentialsProviderError') {
    return meanings.CredentialsProviderError ?? { code: 'STORE_AUTH', why: message }
  }
  const system = systemCode(error) ?? ''
  const known = network[system]
  if (known) return { code: known.code, why: `cannot reach ${place.origin}: ${known.why} (${system})` }
  if (tlsCode.test(system)) {
    const hint = 'check the address, and for a certificate of your own set NODE_EXTRA_CA_CERTS to its file'
    return { code: 'TLS', why: `no safe connection to ${place.origin}: ${message}; ${hint}` }
  }
  if (system.startsWith('HPE_')) {
    return { code: 'STORE_UNREACHABLE', why: `${place.origin} does not speak HTTP (${system}): check the scheme` }
  }
  // Its agent gives it no code.
  if (message.startsWith('Proxy connection ended')) {
    return { code: 'STORE_UNREACHABLE', why: `cannot reach ${place.origin}: the proxy ended the connection` }
  }
  return { code: 'INTERNAL', why: message }
}

function explainRefusal(refusal: Refusal, verb: Verb, place: Place): Meaning {
  const { status, code, message, region, serverTime } = refusal
  const writes = verb === 'write' || verb === 'remove'
  // The service agreed, and what it had to say can't be read.
  if (status >= 200 && status < 300) return { code: 'STORE_UNREACHABLE', why: 'the answer is not whole' }
  if (/WORM|protected by object lock|legal hold/i.test(message) && status < 500) {
    return { code: 'OBJECT_LOCKED', why: 'it is under a retention or a legal hold' }
  }
  if (code === 'PreconditionFailed' || status === 412) {
    return writes
      ? { code: 'STORE_EXISTS', why: 'it exists already' }
      : { code: 'SOURCE_CHANGED', why: 'it was replaced since it was listed' }
  }
  if (/^kms[.:]/i.test(code)) return { code: 'STORE_DENIED', why: `the encryption key can't be used: ${message}` }
  const known = meanings[code]
  if (known?.code === 'WRONG_REGION' || (!known && byStatus[status]?.code === 'WRONG_REGION')) {
    const found = region ?? /expecting '([^']+)'|region is '([^']+)'/.exec(message)?.slice(1).find(Boolean)
    const why = (known ?? byStatus[status])?.why ?? ''
    return { code: 'WRONG_REGION', why: `${why}${found ? ` (${found})` : ''}, the configured one is ${place.region}` }
  }
  if (known?.code === 'CLOCK_SKEW' && serverTime !== undefined) {
    const seconds = Math.round((Date.now() - serverTime) / 1000)
    return { code: 'CLOCK_SKEW', why: `${known.why}; it is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead'}` }
  }
  if (known) return known.code === 'CONFIG_INVALID' ? { ...known, why: `${known.why}: ${message}` } : known
  if (status === 403) {
    const says = message === '' ? '' : `: ${message}`
    return writes
      ? { code: 'READ_ONLY', why: `these credentials have no right to write here${says}` }
      : { code: 'STORE_DENIED', why: `these credentials have no right to read this${says}` }
  }
  const usual = byStatus[status]
  if (usual) return { ...usual, why: `${usual.why} (${status}${code === '' ? '' : ` ${code}`})` }
  return { code: 'INTERNAL', why: `the service refuses it: ${status} ${code} ${message}`.trim() }
}

/** The SDK's errors have the same facts in other places. */
function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const { $metadata, $response } = error as {
    $metadata?: { httpStatusCode?: number }
    $response?: { statusCode?: number; headers?: Record<string, string> }
  }
  const status = $metadata?.httpStatusCode ?? $response?.statusCode
  if (status === undefined) return undefined
  // The SDK calls an answer without a body, and one it does not know, by names of its own.
  const code = /^(?:UnknownError|Unknown|S3ServiceException|\d+)$/.test(error.name) ? '' : error.name
  return new Refusal(status, code, error.message, $response?.headers ?? {})
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

interface Row {
  readonly status: number
  readonly retry: boolean
  /** What to do about it, where that does not depend on the case: what does is said in the message. */
  readonly hint?: string
}

/** What each code means to a client (HTTP status) and to the retry layer. The union of codes is closed: a new failure gets a row here. */
const table = {
  CONFIG_INVALID: {
    status: 500,
    retry: false,
    hint: 'correct the configuration that the message names, and start the service again',
  },
  REQUEST_INVALID: { status: 400, retry: false },
  UNAUTHENTICATED: { status: 401, retry: false, hint: "send one of Arc's admin tokens: Authorization: Bearer <token>" },
  FORBIDDEN: { status: 403, retry: false, hint: 'use a token that Arc made with the permission admin' },
  NOT_FOUND: { status: 404, retry: false },
  METHOD_NOT_ALLOWED: { status: 405, retry: false, hint: 'use a method that the header Allow names' },
  BUSY: { status: 409, retry: false, hint: 'wait until what runs has ended (GET /api/v1/backup/status), or cancel it' },
  PLAN_CHANGED: { status: 409, retry: false, hint: 'ask for a new plan (dry_run: true), and look at it' },
  TOO_LARGE: { status: 413, retry: false, hint: 'send less: no request needs as much' },
  TOO_MANY_REQUESTS: { status: 429, retry: true, hint: 'wait as long as the header Retry-After says' },
  UNAVAILABLE: { status: 503, retry: true, hint: 'try again in a while' },
  STORE_NOT_FOUND: { status: 500, retry: false },
  STORE_EXISTS: { status: 500, retry: false },
  STORE_DENIED: {
    status: 500,
    retry: false,
    hint: 'give the service the rights that docs/stores.md lists for this store',
  },
  STORE_FULL: { status: 507, retry: false, hint: 'make room at the place that the message names' },
  STORE_IO: { status: 500, retry: false, hint: 'look for a failing disk or mount: the log of the kernel says more' },
  STORE_AUTH: { status: 500, retry: false, hint: 'correct the credentials of the store' },
  BUCKET_NOT_FOUND: { status: 500, retry: false, hint: 'create the bucket or container, or correct its name' },
  THROTTLED: {
    status: 503,
    retry: true,
    hint: 'try again in a while; backup.transfers asks for fewer requests at once',
  },
  STORE_TIMEOUT: { status: 503, retry: true, hint: 'try again in a while; backup.retry_timeout waits longer' },
  STORE_UNREACHABLE: {
    status: 503,
    retry: true,
    hint: 'look at the network between the service and the store, and at the endpoint in the configuration',
  },
  TLS: { status: 500, retry: false, hint: 'name the certificate of your own authority in NODE_EXTRA_CA_CERTS' },
  WRONG_REGION: { status: 500, retry: false, hint: 'set the region that the message names' },
  READ_ONLY: {
    status: 500,
    retry: false,
    hint: 'give the service the right to write and delete there, or choose another target',
  },
  CLOCK_SKEW: { status: 500, retry: false, hint: 'set the time of this host, by NTP' },
  OBJECT_LOCKED: { status: 409, retry: false, hint: 'wait until the retention or lease ends, or lift it there' },
  ARCHIVED: { status: 409, retry: false, hint: 'bring it back from the archive class first' },
  PATH_INVALID: { status: 400, retry: false },
  PATH_UNSAFE: { status: 500, retry: false },
  MANIFEST_INVALID: {
    status: 500,
    retry: false,
    hint: 'verify the backup: it says what else is damaged; use another one',
  },
  INTEGRITY: { status: 500, retry: false, hint: 'verify the backup: it says what is damaged; use another one' },
  SOURCE_CHANGED: { status: 500, retry: false, hint: 'try again when less is written to Arc' },
  SQLITE_BUSY: { status: 503, retry: true, hint: 'try again in a while: another process writes to the database' },
  SQLITE_INVALID: {
    status: 500,
    retry: false,
    hint: 'check the database with PRAGMA integrity_check, or use another backup',
  },
  TIMEOUT: { status: 500, retry: false, hint: 'set backup.operation_timeout higher, or look what made it slow' },
  CANCELLED: { status: 409, retry: false },
  INTERRUPTED: { status: 503, retry: false, hint: 'resume or discard the operation; a backup is resumed by itself' },
  LOCK_LOST: {
    status: 500,
    retry: false,
    hint: 'look which other service writes to this place, and start the operation again',
  },
  INTERNAL: { status: 500, retry: false, hint: 'look in the log of the service for this request_id' },
} as const satisfies Record<string, Row>

export type ErrorCode = keyof typeof table
export const errorCodes = Object.keys(table) as ErrorCode[]
/** Those that time alone can heal. */
export const retryCodes = errorCodes.filter((code) => table[code].retry)

/** The facts about a failure that are worth keeping beside its message: path, expected, found, … Never a secret. */
export type ErrorDetail = Readonly<Record<string, unknown>>

/**
 * The one error class. `message` is a sentence for an operator: "cannot <verb> <path> at <store.url>: <why>".
 * Classes do not survive a thread boundary, codes do: workers return a `Failure` (see `toFailure`).
 */
export class ServiceError extends Error {
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, message: string, options: { cause?: unknown } & Record<string, unknown> = {}) {
    const { cause, ...detail } = options
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ServiceError'
    this.code = code
    this.detail = detail
  }

  /** HTTP status for the REST API. */
  get status(): number {
    return table[this.code].status
  }

  /** What an operator can do about it. */
  get hint(): string | undefined {
    const row: Row = table[this.code]
    return row.hint
  }

  /** Can time alone heal this, so that trying again makes sense? */
  get retry(): boolean {
    return table[this.code].retry
  }
}

/** An error as a plain value: what a worker thread or a database row can hold. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  readonly detail?: ErrorDetail
}

/** Any thrown value as a `Failure`; what is not a `ServiceError` is INTERNAL (classify positively: unknown is fatal). */
export function toFailure(error: unknown): Failure {
  if (error instanceof ServiceError) return { code: error.code, message: error.message, detail: error.detail }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) }
}

export function fromFailure(failure: Failure): ServiceError {
  return new ServiceError(failure.code, failure.message, { ...failure.detail })
}

/** Narrowing for `catch`: is it a ServiceError with one of these codes (any code when none is named)? */
export function isServiceError(error: unknown, ...codes: ErrorCode[]): error is ServiceError {
  return error instanceof ServiceError && (codes.length === 0 || codes.includes(error.code))
}

/** `error.code` of a Node system error ("ENOENT", …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return error instanceof Error && typeof code === 'string' ? code : undefined
}

/** Did the system, or SQLite, find no room? SHMSIZE is what SQLite says when the file for its shared memory can't grow. */
export function isFull(error: unknown): boolean {
  return /^(SQLITE_FULL|SQLITE_IOERR_SHMSIZE|ENOSPC|EDQUOT)/.test(systemCode(error) ?? '')
}

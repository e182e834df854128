/** What each code means to a client (HTTP status) and to the retry layer. The union of codes is closed: a new failure gets a row here. */
const table = {
  CONFIG_INVALID: { status: 500, retry: false },
  REQUEST_INVALID: { status: 400, retry: false },
  UNAUTHENTICATED: { status: 401, retry: false },
  FORBIDDEN: { status: 403, retry: false },
  NOT_FOUND: { status: 404, retry: false },
  BUSY: { status: 409, retry: false },
  TOO_LARGE: { status: 413, retry: false },
  TOO_MANY_REQUESTS: { status: 429, retry: true },
  UNAVAILABLE: { status: 503, retry: true },
  STORE_NOT_FOUND: { status: 500, retry: false },
  STORE_EXISTS: { status: 500, retry: false },
  STORE_DENIED: { status: 500, retry: false },
  STORE_FULL: { status: 507, retry: false },
  STORE_IO: { status: 500, retry: false },
  STORE_AUTH: { status: 500, retry: false },
  BUCKET_NOT_FOUND: { status: 500, retry: false },
  THROTTLED: { status: 503, retry: true },
  STORE_TIMEOUT: { status: 503, retry: true },
  STORE_UNREACHABLE: { status: 503, retry: true },
  TLS: { status: 500, retry: false },
  WRONG_REGION: { status: 500, retry: false },
  READ_ONLY: { status: 500, retry: false },
  CLOCK_SKEW: { status: 500, retry: false },
  OBJECT_LOCKED: { status: 409, retry: false },
  ARCHIVED: { status: 409, retry: false },
  PATH_INVALID: { status: 400, retry: false },
  PATH_UNSAFE: { status: 500, retry: false },
  MANIFEST_INVALID: { status: 500, retry: false },
  INTEGRITY: { status: 500, retry: false },
  SOURCE_CHANGED: { status: 500, retry: false },
  SQLITE_BUSY: { status: 503, retry: true },
  SQLITE_INVALID: { status: 500, retry: false },
  TIMEOUT: { status: 500, retry: false },
  CANCELLED: { status: 409, retry: false },
  INTERRUPTED: { status: 503, retry: false },
  LOCK_LOST: { status: 500, retry: false },
  INTERNAL: { status: 500, retry: false },
} as const satisfies Record<string, { status: number; retry: boolean }>

export type ErrorCode = keyof typeof table

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

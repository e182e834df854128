interface Row {
  /** What has happened, for `docs/troubleshooting.md`. */
  readonly means: string
  readonly status: number
  readonly retry: boolean
  /** What to do about it, where that does not depend on the case: what does is said in the message. */
  readonly hint?: string
}

/** What each code means to a client (HTTP status) and to the retry layer. The union of codes is closed: a new failure gets a row here. */
const table = {
  CONFIG_INVALID: {
    means: 'The configuration can not be used.',
    status: 500,
    retry: false,
    hint: 'correct the configuration that the message names, and start the service again',
  },
  REQUEST_INVALID: {
    means: 'The request is not what it should be; `error` and `detail` say what was expected.',
    status: 400,
    retry: false,
  },
  UNAUTHENTICATED: {
    means: 'No token, or one that Arc does not know, or that has expired.',
    status: 401,
    retry: false,
    hint: "send one of Arc's admin tokens: Authorization: Bearer <token>",
  },
  FORBIDDEN: {
    means: "The token is not an admin's; or, without authentication, the request came from another web page.",
    status: 403,
    retry: false,
    hint: 'use a token that Arc made with the permission admin',
  },
  NOT_FOUND: { means: 'There is no such backup, operation or path.', status: 404, retry: false },
  METHOD_NOT_ALLOWED: {
    means: 'The path is right, the method is not.',
    status: 405,
    retry: false,
    hint: 'use a method that the header Allow names',
  },
  BUSY: {
    means: 'Another operation runs, here or (`held_by`) at the same destination.',
    status: 409,
    retry: false,
    hint: 'wait until what runs has ended (GET /api/v1/backup/status), or cancel it',
  },
  PLAN_CHANGED: {
    means: 'What a plan of a restore said does not hold any more; `changed` says what.',
    status: 409,
    retry: false,
    hint: 'ask for a new plan (dry_run: true), and look at it',
  },
  TOO_LARGE: {
    means: 'The request is larger than any that makes sense.',
    status: 413,
    retry: false,
    hint: 'send less: no request needs as much',
  },
  TOO_MANY_REQUESTS: {
    means: 'Too many tokens wait to be checked.',
    status: 429,
    retry: true,
    hint: 'wait as long as the header Retry-After says',
  },
  UNAVAILABLE: {
    means: 'The service is stopping, or can not read `arc.db` just now.',
    status: 503,
    retry: true,
    hint: 'try again in a while',
  },
  STORE_NOT_FOUND: { means: 'A file that should be there is not.', status: 500, retry: false },
  STORE_EXISTS: { means: 'A file is there that must not be: another writer was faster.', status: 500, retry: false },
  STORE_DENIED: {
    means: 'The store or the file system refuses: a right is missing.',
    status: 500,
    retry: false,
    hint: 'give the service the rights that docs/stores.md lists for this store',
  },
  STORE_FULL: {
    means: 'There is no room, or too little for what is to be written.',
    status: 507,
    retry: false,
    hint: 'make room at the place that the message names',
  },
  STORE_IO: {
    means: 'A disk or a file system failed.',
    status: 500,
    retry: false,
    hint: 'look for a failing disk or mount: the log of the kernel says more',
  },
  STORE_AUTH: {
    means: 'The store does not know the credentials, or their signature is wrong.',
    status: 500,
    retry: false,
    hint: 'correct the credentials of the store',
  },
  BUCKET_NOT_FOUND: {
    means: 'There is no such bucket or container.',
    status: 500,
    retry: false,
    hint: 'create the bucket or container, or correct its name',
  },
  THROTTLED: {
    means: 'The store asked for fewer requests for longer than `backup.retry_timeout`.',
    status: 503,
    retry: true,
    hint: 'try again in a while; backup.transfers asks for fewer requests at once',
  },
  STORE_TIMEOUT: {
    means: 'The store did not answer, or moved no byte, for too long.',
    status: 503,
    retry: true,
    hint: 'try again in a while; backup.retry_timeout waits longer',
  },
  STORE_UNREACHABLE: {
    means: 'The store could not be reached.',
    status: 503,
    retry: true,
    hint: 'look at the network between the service and the store, and at the endpoint in the configuration',
  },
  TLS: {
    means: "The store's certificate is not trusted.",
    status: 500,
    retry: false,
    hint: 'name the certificate of your own authority in NODE_EXTRA_CA_CERTS',
  },
  WRONG_REGION: {
    means: 'The bucket is in another region.',
    status: 500,
    retry: false,
    hint: 'set the region that the message names',
  },
  READ_ONLY: {
    means: 'The place may be read, but not written to.',
    status: 500,
    retry: false,
    hint: 'give the service the right to write and delete there, or choose another target',
  },
  CLOCK_SKEW: {
    means: "This host's clock is off by more than the store allows.",
    status: 500,
    retry: false,
    hint: 'set the time of this host, by NTP',
  },
  OBJECT_LOCKED: {
    means: 'A retention or a lease keeps an object from being changed or removed.',
    status: 409,
    retry: false,
    hint: 'wait until the retention or lease ends, or lift it there',
  },
  ARCHIVED: {
    means: 'An object is in an archive class, from which it can not be read at once.',
    status: 409,
    retry: false,
    hint: 'bring it back from the archive class first',
  },
  PATH_INVALID: { means: 'A path that no file of Arc has.', status: 400, retry: false },
  PATH_UNSAFE: {
    means: 'A path that leads, or is a link that leads, out of where it should be.',
    status: 500,
    retry: false,
  },
  MANIFEST_INVALID: {
    means: "A backup's manifest or list of files can not be read, or does not fit its checksum.",
    status: 500,
    retry: false,
    hint: 'verify the backup: it says what else is damaged; use another one',
  },
  INTEGRITY: {
    means: 'What was read is not what is on record.',
    status: 500,
    retry: false,
    hint: 'verify the backup: it says what is damaged; use another one',
  },
  SOURCE_CHANGED: {
    means: 'A file changed while it was copied.',
    status: 500,
    retry: false,
    hint: 'try again when less is written to Arc',
  },
  SQLITE_BUSY: {
    means: 'Another process held the database for too long.',
    status: 503,
    retry: true,
    hint: 'try again in a while: another process writes to the database',
  },
  SQLITE_INVALID: {
    means: 'A database is damaged, or is none.',
    status: 500,
    retry: false,
    hint: 'check the database with PRAGMA integrity_check, or use another backup',
  },
  TIMEOUT: {
    means: 'The operation took longer than `backup.operation_timeout`.',
    status: 500,
    retry: false,
    hint: 'set backup.operation_timeout higher, or look what made it slow',
  },
  CANCELLED: { means: 'Somebody has cancelled the operation.', status: 409, retry: false },
  INTERRUPTED: {
    means: 'The service stopped, or was killed, in the middle of the operation.',
    status: 503,
    retry: false,
    hint: 'resume or discard the operation; a backup is resumed by itself',
  },
  LOCK_LOST: {
    means: 'Another writer took the place over while this one stood still; nothing was committed.',
    status: 500,
    retry: false,
    hint: 'look which other service writes to this place, and start the operation again',
  },
  INTERNAL: {
    means: 'A bug, or an answer of a store that is not known.',
    status: 500,
    retry: false,
    hint: 'look in the log of the service for this request_id',
  },
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

  /** What has happened, in general: the message says it of this case. */
  get meaning(): string {
    return table[this.code].means
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

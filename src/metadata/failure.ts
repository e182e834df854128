import { isFull, ServiceError, systemCode } from '../errors.js'

/** An error of better-sqlite3 or of the file system as a ServiceError: "cannot <verb> <path>: <why>". */
export function databaseFailure(error: unknown, verb: string, path: string): ServiceError {
  if (error instanceof ServiceError) return error
  const code = systemCode(error) ?? ''
  const why = error instanceof Error ? error.message : String(error)
  return new ServiceError(
    isBusy(error) ? 'SQLITE_BUSY' : isFull(error) ? 'STORE_FULL' : codeOf(code),
    `cannot ${verb} ${path}: ${why}`,
    {
      cause: error,
      path,
    },
  )
}

/** Does another connection hold a lock that it will give back? PROTOCOL is what a race for the locks of a WAL ends in. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(systemCode(error) ?? '')
}

function codeOf(code: string) {
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) return 'SQLITE_INVALID'
  if (
    code.startsWith('SQLITE_CANTOPEN') ||
    code.startsWith('SQLITE_READONLY') ||
    code === 'EACCES' ||
    code === 'EPERM' ||
    code === 'EROFS'
  ) {
    return 'STORE_DENIED'
  }
  if (code === 'ENOENT') return 'STORE_NOT_FOUND'
  return code.startsWith('SQLITE_IOERR') || code === 'EIO' ? 'STORE_IO' : 'INTERNAL'
}

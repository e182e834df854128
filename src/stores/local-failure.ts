import { type ErrorCode, ServiceError, systemCode } from '../errors.js'
import { quote } from './path.js'

const codes: Record<string, ErrorCode> = {
  ENOENT: 'STORE_NOT_FOUND',
  ENOTDIR: 'STORE_NOT_FOUND',
  EEXIST: 'STORE_EXISTS',
  EACCES: 'STORE_DENIED',
  EPERM: 'STORE_DENIED',
  EROFS: 'STORE_DENIED',
  ENOSPC: 'STORE_FULL',
  EDQUOT: 'STORE_FULL',
  EFBIG: 'STORE_FULL',
  EIO: 'STORE_IO',
  ESTALE: 'STORE_IO',
  ENAMETOOLONG: 'PATH_INVALID',
  EILSEQ: 'PATH_INVALID',
  ELOOP: 'PATH_UNSAFE',
}

const reasons: Record<string, string> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'it exists already',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is exceeded',
  EIO: 'input/output error',
  ELOOP: 'it is a symbolic link',
}

export type Verb = 'read' | 'write' | 'list' | 'remove' | 'rename' | 'sync' | 'stat'

/** Files of an object store may lie below a name that is a file itself. */
function isInTheWay(error: unknown, system: string): boolean {
  return system === 'ENOTDIR' || (system === 'EEXIST' && (error as NodeJS.ErrnoException).syscall === 'mkdir')
}

/** A path that other files of this place leave no room for. */
export function unwritable(path: string, root: string, why: string, cause: unknown): ServiceError {
  return new ServiceError('PATH_INVALID', `cannot write ${quote(path)} at ${root}: ${why}`, {
    cause,
    verb: 'write',
    path,
  })
}

/**
 * A system error as a ServiceError: "cannot <verb> <path> at <root>: <why>". What is not in the table is INTERNAL.
 * `detail.verb` says which side of a copy failed: only a failed `read` may be skipped by a backup.
 */
export function localFailure(error: unknown, verb: Verb, path: string, root: string): ServiceError {
  if (error instanceof ServiceError) return error
  const system = systemCode(error) ?? ''
  if (verb === 'write' && isInTheWay(error, system)) return unwritable(path, root, reasons.ENOTDIR ?? '', error)
  const why = reasons[system] ?? (error instanceof Error ? error.message : String(error))
  return new ServiceError(codes[system] ?? 'INTERNAL', `cannot ${verb} ${quote(path)} at ${root}: ${why}`, {
    cause: error,
    verb,
    path,
    ...(system !== '' && { system }),
  })
}

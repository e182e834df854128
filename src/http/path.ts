import { posix } from 'node:path'
import { isBackupId } from '../format/backup-id.js'

/** A name of ours is shorter, a token of Arc's longer (44 characters; a bootstrap token has 32 at least). */
const longestWord = 24
const longestShown = 200

/**
 * The path of a request as Koa has it; null where its target is no URL. It must be the one that routes are found by: of a target like `/a#/../b`
 * another parser would see another path, and let in whom this one keeps out.
 */
export function readPath(request: { readonly path: string | null }): string | null {
  try {
    return request.path
  } catch {
    return null
  }
}

/** Without empty, `.` and `..` segments and without a slash at the end, as Go's `path.Clean` has it. */
export function cleanPath(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/, '')
}

/** The path as it may be logged and answered: whoever put a token into it by mistake shall not find it there. */
export function showPath(path: string): string {
  const shown = path
    .split('/')
    .map((segment) => (segment.length < longestWord || isBackupId(segment.toLowerCase()) ? segment : '***'))
  return shown.join('/').slice(0, longestShown)
}

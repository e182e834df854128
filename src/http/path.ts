import { posix } from 'node:path'
import { isBackupId } from '../format/backup-id.js'

/** A name of ours is shorter, a token of Arc's longer (44 characters; a bootstrap token has 32 at least). */
const longestWord = 24
const longestShown = 200

/**
 * Makes `http://host/path?query` the plain `/path?query`; false for a target that is neither. This has to come before Koa looks at the URL: Node's old
 * parser, which Koa uses, writes a target that it does not like to standard error, `?p=` and all.
 */
export function normalizeTarget(request: { url?: string | undefined }): boolean {
  const target = request.url ?? ''
  if (target.startsWith('/') || target === '*') return true
  const url = /^https?:/i.test(target) && URL.canParse(target) ? new URL(target) : null
  request.url = url ? url.pathname + url.search : '/'
  return url !== null
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

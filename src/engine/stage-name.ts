import { hash } from 'node:crypto'
import { ServiceError } from '../errors.js'
import { longestSegment, quote } from '../stores/path.js'

/** Before a file is staged for its place on a disk: can it get its own name there? @throws PATH_INVALID */
export function checkOwnName(path: string): void {
  // No UTF-16 unit takes more than three bytes: a short path needs no second look.
  if (path.length * 3 <= longestSegment) return
  if (!path.split('/').some((segment) => Buffer.byteLength(segment) > longestSegment)) return
  const why = `no file system here takes a name of more than ${longestSegment} bytes`
  throw new ServiceError('PATH_INVALID', `cannot write ${quote(path)}: ${why}`, { verb: 'write', path })
}

/**
 * Hidden name beside `path` for something that belongs to `operation`: `.<name>.<operation>.<suffix>`, or a hash of the name where that would pass
 * 255 bytes. Arc leaves hidden files out of its listings.
 */
export function hiddenName(path: string, operation: string, suffix: 'part' | 'replaced'): string {
  const slash = path.lastIndexOf('/') + 1
  const tail = `.${operation}.${suffix}`
  const name = path.slice(slash)
  const plain = `.${name}${tail}`
  if (Buffer.byteLength(plain) <= longestSegment) return path.slice(0, slash) + plain
  return `${path.slice(0, slash)}.${hash('sha256', name, 'hex')}${tail}`
}

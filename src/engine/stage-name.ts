import { hash } from 'node:crypto'
import { longestSegment } from '../stores/path.js'

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

import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes a file of whole MiB, each of which differs. @returns its SHA-256 */
export function writeLargeFile(path: string, size: number): string {
  const block = randomBytes(1 << 20)
  const hash = createHash('sha256')
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'w')
  for (let index = 0; index < size / block.length; index += 1) {
    block.writeUInt32LE(index, 0)
    hash.update(block)
    writeSync(file, block)
  }
  closeSync(file)
  return hash.digest('hex')
}

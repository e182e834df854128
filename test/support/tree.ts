import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Every file below a folder with the SHA-256 of its content; links with their target, empty folders as such. */
export function hashTree(folder: string, skip: (path: string) => boolean = () => false): Record<string, string> {
  const found: Record<string, string> = {}
  const walk = (at: string): void => {
    const names = readdirSync(at)
    if (names.length === 0) found[`${relative(folder, at)}/`] = 'empty folder'
    for (const name of names) {
      const path = join(at, name)
      const short = relative(folder, path)
      if (skip(short)) continue
      const stat = lstatSync(path)
      if (stat.isDirectory()) walk(path)
      else if (stat.isSymbolicLink()) found[short] = `-> ${readlinkSync(path)}`
      else found[short] = stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'special'
    }
  }
  walk(folder)
  return found
}

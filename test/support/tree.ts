import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { join, relative } from 'node:path'
import { systemCode } from '../../src/errors.js'

/** Every file below a folder with the SHA-256 of its content; links with their target, empty folders as such. What another process removes meanwhile is not there. @throws where there is no such folder */
export function hashTree(folder: string, skip: (path: string) => boolean = () => false): Record<string, string> {
  const found: Record<string, string> = {}
  const walk = (at: string): void => {
    const names = at === folder ? readdirSync(at) : ifThere(() => readdirSync(at))
    if (names === undefined) return
    if (names.length === 0) found[`${relative(folder, at)}/`] = 'empty folder'
    for (const name of names) {
      const path = join(at, name)
      const short = relative(folder, path)
      if (skip(short)) continue
      const stat = lstatSync(path, { throwIfNoEntry: false })
      if (stat?.isDirectory()) walk(path)
      else if (stat) {
        const what = ifThere(() => contentOf(path, stat))
        if (what !== undefined) found[short] = what
      }
    }
  }
  walk(folder)
  return found
}

function contentOf(path: string, stat: Stats): string {
  if (stat.isSymbolicLink()) return `-> ${readlinkSync(path)}`
  return stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'special'
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    return undefined
  }
}

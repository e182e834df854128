import { linkSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from '../errors.js'
import { type LocalPath, makeFolders } from './local-copy.js'
import { localFailure } from './local-failure.js'

/** What keeps a file from a second name, but not from being copied: too many links, another file system, a file system or a kernel that allows none. */
const unlinkable: readonly unknown[] = ['EMLINK', 'EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES']

/** A second name for a file of `size` bytes; false where it has none such, or can't have one. Blocks its thread: for worker threads. */
export function linkLocalFile(from: LocalPath, to: LocalPath, size: number): boolean {
  const [source, target] = [`${from.root}/${from.path}`, `${to.root}/${to.path}`]
  try {
    const found = lstatSync(source, { throwIfNoEntry: false })
    if (!found?.isFile() || found.size !== size) return false
    try {
      linkSync(source, target)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      makeFolders(to.root, dirname(to.path))
      linkSync(source, target)
    }
    return true
  } catch (error) {
    if (unlinkable.includes(systemCode(error))) return false
    throw localFailure(error, 'write', to.path, to.root)
  }
}

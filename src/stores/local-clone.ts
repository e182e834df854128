import { constants, copyFileSync, fchmodSync, fstatSync, ftruncateSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { systemCode } from '../errors.js'

/** What keeps a file from sharing another's blocks, but not from being copied. */
const unshareable: readonly unknown[] = [
  // Another file system, one that has nothing to share, a kernel or a container that does not allow it.
  ...['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'EINVAL', 'EPERM', 'EACCES', 'ETXTBSY'],
  // No /proc.
  ...['ENOENT', 'ENOTDIR'],
  // Copying tells which side it is.
  'EIO',
]
const mode = constants.COPYFILE_FICLONE_FORCE

/**
 * Gives a new, open file the blocks of another one, as they are at this instant: nothing is written, and what changes later in one of them is its own. Where
 * that can't be: false, and the file is as empty as before. Blocks its thread.
 */
export function shareBlocks(source: number, target: number): boolean {
  // Opening a named pipe again would wait for who writes to it.
  if (!fstatSync(source).isFile()) return false
  try {
    copyFileSync(nameOf(source), nameOf(target), mode)
    return true
  } catch (error) {
    return refused(error, target)
  } finally {
    // It got the source's mode, too.
    fchmodSync(target, 0o600)
  }
}

/** The same without blocking: what was written to the source a moment ago goes to the disk before. */
export async function tryShareBlocks(source: number, target: number): Promise<boolean> {
  if (!fstatSync(source).isFile()) return false
  try {
    await copyFile(nameOf(source), nameOf(target), mode)
    return true
  } catch (error) {
    return refused(error, target)
  }
}

function refused(error: unknown, target: number): false {
  if (!unshareable.includes(systemCode(error))) throw error
  ftruncateSync(target, 0)
  return false
}

/** By their own names these could be others by now, or links. */
function nameOf(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`
}

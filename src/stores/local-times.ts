import { type BigIntStats, lstatSync, statfsSync } from 'node:fs'
import { systemCode } from '../errors.js'
import { localFailure } from './local-failure.js'

/**
 * File systems of this machine, by their magic numbers (statfs(2)), that stamp a folder whenever an entry of it comes, goes or is replaced: ext2 to ext4, XFS, Btrfs, tmpfs,
 * F2FS, ZFS, overlayfs. Others may serve a time from a cache (NFS), or keep none of folders (FAT).
 */
const stamping = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0x2fc12fc1, 0x794c7630])
/** A clock stands still for up to some hundredths of a second: a later change could get a time that is younger than this once more (ms). */
const tooFresh = 2000

/** No such time can be told, or the next change need not alter it. */
export const unknownTime = -1n

/**
 * When the entries of some folders last changed (ns): the time of change of the folder itself, which no program can set. Undefined where the file system can't be
 * trusted with that. Blocks its thread.
 */
export function changeTimes(root: string, folders: readonly string[]): BigInt64Array | undefined {
  const freshest = BigInt(Date.now() - tooFresh) * 1_000_000n
  try {
    if (!stamping.has(statfsSync(root).type)) return undefined
    const { dev } = lstatSync(root, { bigint: true })
    return BigInt64Array.from(folders, (folder) => {
      const found = lookAt(root, folder)
      // Another file system may be mounted there.
      return found?.dev === dev && found.ctimeNs < freshest ? found.ctimeNs : unknownTime
    })
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw localFailure(error, 'stat', '.', root)
  }
}

function lookAt(root: string, folder: string): BigIntStats | undefined {
  return lstatSync(folder === '' ? root : `${root}/${folder}`, { bigint: true, throwIfNoEntry: false })
}

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own for a bench. */
export interface LoopDisk {
  readonly folder: string
  remove(): void
}

/** An ext4 image in memory, mounted by loop: steady, where a shared root file system is not. Needs root. @param size as for `truncate`, in bytes */
export function mountLoopDisk(size: number): LoopDisk {
  const memory = mkdtempSync('/dev/shm/arc-backup-bench-')
  const folder = mkdtempSync(join(tmpdir(), 'arc-backup-bench-'))
  const image = `${memory}/image`
  writeFileSync(image, '')
  truncateSync(image, size)
  execFileSync('mkfs.ext4', ['-q', '-F', '-i', '4096', image])
  execFileSync('mount', ['-o', 'loop', image, folder])
  return {
    folder,
    remove: () => {
      execFileSync('umount', [folder])
      rmSync(memory, { recursive: true })
      rmSync(folder, { recursive: true })
    },
  }
}

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Mounts a small file system in memory, so that running out of space is real; needs root. The test unmounts it. */
export function mountTmpfs(t: Test, size: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'arc-backup-test-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder])
  t.teardown(() => {
    execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true })
  })
  return folder
}

/** Mounts a small file system in memory over a folder while `body` runs, so that the folder itself can't be removed; needs root. */
export async function withSmallDisk(folder: string, size: string, body: () => Promise<void>): Promise<void> {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder])
  try {
    await body()
  } finally {
    execFileSync('umount', [folder])
  }
}

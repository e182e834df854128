import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
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

const makers = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q'],
} as const

/** Mounts a file system of this kind, in an image; needs root. The test unmounts it. @throws what is missing */
export function mountImage(t: Test, kind: keyof typeof makers, mib = 320): string {
  const folder = mkdtempSync(join(tmpdir(), 'arc-backup-test-'))
  const image = `${folder}.image`
  t.teardown(() => {
    rmSync(folder, { recursive: true })
    rmSync(image)
  })
  writeFileSync(image, '')
  truncateSync(image, mib * 2 ** 20)
  const [program, ...options] = makers[kind]
  try {
    execFileSync(program, [...options, image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop', image, folder], { stdio: 'pipe' })
  } catch (cause) {
    throw new Error(`this test needs root, ${program}, a loop device and a kernel that knows ${kind}`, { cause })
  }
  t.teardown(() => void execFileSync('umount', [folder]))
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

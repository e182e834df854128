import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Owner } from '../test/servers/owner.js'

/** A folder of its own for a bench, which goes with it: below `parent`, or a file system in memory where none is named. The latter needs root. */
export function makeFolder(owner: Owner, parent: string | undefined): string {
  const folder = mkdtempSync(join(parent ?? tmpdir(), 'arc-backup-bench-'))
  owner.teardown(() => rmSync(folder, { recursive: true, force: true }))
  if (parent !== undefined) return folder
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=80%,nr_inodes=0,mode=700', 'none', folder])
  owner.teardown(() => {
    execFileSync('umount', ['-l', folder])
  })
  return folder
}

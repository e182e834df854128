import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { beforeRestoreName } from './before-restore.js'
import { makeDurable } from './durable.js'

/**
 * Puts a configuration file in its place by copy, sync and rename; mode and owner stay, a new file is 0600. The old text stays as `<to>.before-restore`.
 *
 * @returns path of the old file, or null where there was none
 */
export async function restoreConfiguration(options: { from: string; to: string }): Promise<{ before: string | null }> {
  const { from } = options
  // A link stays a link: what it points to is replaced.
  const to = existsSync(options.to) ? realpathSync(options.to) : options.to
  const temporary = `${to}.restore.part`
  try {
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
    copyFileSync(from, temporary)
    const old = existsSync(to) ? statSync(to) : null
    chmodSync(temporary, old ? old.mode & 0o7777 : 0o600)
    if (old) chownSync(temporary, old.uid, old.gid)
    makeDurable(temporary)
    const before = old ? keepOld(to) : null
    renameSync(temporary, to)
    makeDurable(to)
    return { before }
  } finally {
    rmSync(temporary, { force: true })
  }
}

function keepOld(path: string): string {
  const kept = beforeRestoreName(path)
  copyFileSync(path, kept)
  chmodSync(kept, 0o600)
  makeDurable(kept)
  return kept
}

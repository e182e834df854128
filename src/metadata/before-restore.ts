import { existsSync, renameSync, statSync } from 'node:fs'

/**
 * Name for the state that a restore is about to replace. An earlier one of that name gets its own time as a suffix first: it is never lost.
 */
export function beforeRestoreName(path: string): string {
  const name = `${path}.before-restore`
  if (!existsSync(name)) return name
  const time = statSync(name)
    .mtime.toISOString()
    .replace(/[-:]/g, '')
    .replace(/\.\d+Z$/, 'Z')
  let kept = `${name}.${time}`
  for (let number = 2; existsSync(kept); number += 1) kept = `${name}.${time}-${number}`
  renameSync(name, kept)
  return name
}

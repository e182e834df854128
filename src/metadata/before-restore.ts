import { chmodSync, copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { makeDurable } from './durable.js'

/** Path of the old state. */
export function beforeRestoreName(path: string): string {
  return `${path}.before-restore`
}

/** Where the old state is written first: nothing half written is ever called `.before-restore`. */
export function beforeRestorePart(path: string): string {
  return `${path}.before-restore.part`
}

/**
 * Gives the part its name, `<path>.before-restore`. An earlier one, with its WAL, gets its own time as a suffix first: it is never lost.
 *
 * @returns the name
 */
export function keepBeforeRestore(path: string): string {
  const name = beforeRestoreName(path)
  if (existsSync(name)) {
    const time = statSync(name)
      .mtime.toISOString()
      .replace(/[-:]/g, '')
      .replace(/\.\d+Z$/, 'Z')
    let kept = `${name}.${time}`
    for (let number = 2; existsSync(kept); number += 1) kept = `${name}.${time}-${number}`
    move(name, kept)
  }
  move(beforeRestorePart(path), name)
  makeDurable(name)
  return name
}

/** Keeps a plain file, and a WAL beside it, as `<path>.before-restore` (0600). */
export function keepFileBeforeRestore(path: string): string {
  const part = beforeRestorePart(path)
  try {
    for (const end of ['', '-wal']) {
      if (!existsSync(path + end)) continue
      copyFileSync(path + end, part + end)
      chmodSync(part + end, 0o600)
      makeDurable(part + end)
    }
    return keepBeforeRestore(path)
  } finally {
    for (const end of ['', '-wal']) rmSync(part + end, { force: true })
  }
}

/** The WAL goes first: while it waits under the new name alone, the old file still lies under the old one. */
function move(from: string, to: string): void {
  for (const end of ['-wal', '']) if (existsSync(from + end)) renameSync(from + end, to + end)
}

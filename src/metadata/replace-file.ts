import { chmodSync, chownSync, copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeDurable } from './durable.js'

/** Puts a copy of `from` in the place of `to` by copy, sync and rename; `beforeRename` runs when nothing but the rename is left to do. */
export function replaceFile(options: {
  readonly from: string
  readonly to: string
  readonly mode: number
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  readonly beforeRename?: () => void
}): void {
  const { from, to, mode, owner } = options
  const temporary = `${to}.restore.part`
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
  try {
    copyFileSync(from, temporary)
    chmodSync(temporary, mode)
    if (owner) chownSync(temporary, owner.uid, owner.gid)
    makeDurable(temporary)
    options.beforeRename?.()
    renameSync(temporary, to)
    makeDurable(to)
  } finally {
    rmSync(temporary, { force: true })
  }
}

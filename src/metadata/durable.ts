import { closeSync, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'

/** Puts a file's content on stable storage, and its name too. */
export function makeDurable(path: string): void {
  for (const name of [path, dirname(path)]) {
    const handle = openSync(name, 'r')
    try {
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
  }
}

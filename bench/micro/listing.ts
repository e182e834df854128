import { LocalStore } from '../../src/stores/local.js'
import { writeSet } from '../sets.js'
import type { MakePart } from './part.js'

const files = 20_000

/** Names, sizes and times of all files below a folder: as a thread lists them, and as a stream. */
export const listing: MakePart = (folder) => {
  writeSet(folder, { name: 'listing', files, size: 1 })
  const store = new LocalStore(folder)
  const walk = (): void => {
    const waiting = ['']
    let found = 0
    for (let folders = waiting.splice(-64); folders.length > 0; folders = waiting.splice(-64)) {
      for (const entry of store.listLevel(folders)) {
        if (entry.folder) waiting.push(entry.path)
        else found += 1
      }
    }
    check(found)
  }
  const stream = async (): Promise<void> => {
    let found = 0
    for await (const _ of store.list('')) found += 1
    check(found)
  }
  return [
    { name: 'listing, by levels', files, run: walk },
    { name: 'listing, as a stream', files, run: stream },
  ]
}

function check(found: number): void {
  if (found !== files) throw new Error(`${found} files were listed, not ${files}`)
}

import { existsSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { inventoryFile, leftInventory } from './earlier.js'

/** Batches added up before the main thread is somebody else's. */
const perTurn = 500

/** Bytes that an interrupted backup has on record as copied, by the lists in its folder: its status is written down only now and then. */
export async function bytesOnRecord(folder: string): Promise<number> {
  let most = 0
  for (const name of [inventoryFile, leftInventory]) {
    const file = `${folder}/${name}`
    if (!existsSync(file)) continue
    try {
      most = Math.max(most, await bytesIn(file))
    } catch {
      // A power cut can leave a list that can't be read: what it had counts for nothing then.
    }
  }
  return most
}

async function bytesIn(file: string): Promise<number> {
  const db = new Database(file)
  let sum = 0
  try {
    const page = db.prepare('SELECT id, sizes, done FROM batches WHERE id > ? ORDER BY id LIMIT ?')
    for (let last = 0; ; await nextTurn()) {
      const rows = page.all(last, perTurn) as { id: number; sizes: Buffer; done: Buffer }[]
      for (const { id, sizes, done } of rows) {
        for (const [index, flag] of done.entries()) if (flag !== 0) sum += sizes.readDoubleLE(index * 8)
        last = id
      }
      if (rows.length < perTurn) return sum
    }
  } finally {
    db.close()
  }
}

import { existsSync, rmSync } from 'node:fs'
import { fromFailure, systemCode } from '../errors.js'
import { leftInventory } from './earlier.js'
import { Inventory } from './inventory.js'
import { runLanes } from './lanes.js'
import type { Pool } from './pool.js'
import { storeNames } from './run.js'

/** Removes the hidden files that a restore staged, and the folders that were made for them. @throws what keeps one from being removed */
export async function unstage(pool: Pool, operation: string, inventory: Inventory): Promise<void> {
  await runLanes(pool.workers, inventory.batches(), async ({ paths }) => {
    const task = { kind: 'remove', store: storeNames.storage, paths, hiddenFor: operation } as const
    const { fatal } = await pool.transfer(task)
    if (fatal) throw fromFailure(fatal)
  })
}

/**
 * The same for what a process that is gone had staged, by the lists that it left in its folder. One that a power cut has made unreadable leaves only hidden files,
 * which Arc does not look at.
 */
export async function unstageLeft(
  pool: Pool,
  operation: string,
  folder: string,
  lists: readonly string[] = [leftInventory],
): Promise<void> {
  for (const list of lists) {
    const file = `${folder}/${list}`
    if (!existsSync(file)) continue
    try {
      await unstageListed(pool, operation, file)
    } catch (error) {
      if (!/^SQLITE_(CORRUPT|NOTADB)/.test(systemCode(error) ?? '')) throw error
    }
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
  }
}

async function unstageListed(pool: Pool, operation: string, file: string): Promise<void> {
  const left = new Inventory(file)
  try {
    await unstage(pool, operation, left)
  } finally {
    left.close()
  }
}

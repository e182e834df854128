import { isServiceError, ServiceError } from '../errors.js'
import type { Store } from '../stores/store.js'
import type { Surroundings } from './execution.js'

export interface Undone {
  readonly restored: number
  /** Their places are taken by other files now: they stay hidden. */
  readonly kept: readonly string[]
}

/** Gives files that a restore moved aside their names back. @throws REQUEST_INVALID where there are none */
export async function undo({ journal, storage }: Surroundings, operation: string): Promise<Undone> {
  const kept: string[] = []
  let restored = 0
  let moved = false
  for (const page of journal.movedAside(operation)) {
    for (const { path, hidden } of page) {
      if (hidden === null) continue
      moved = true
      // What an earlier undo has put back lies under its own name.
      if (!(await exists(storage, hidden))) continue
      if (await exists(storage, path)) kept.push(path)
      else {
        await storage.rename?.(hidden, path)
        restored += 1
      }
    }
  }
  if (!moved) {
    throw new ServiceError('REQUEST_INVALID', `the operation ${operation} has moved no files aside, or they are gone`)
  }
  await storage.sync?.()
  if (kept.length === 0) journal.forgetMovedAside(operation)
  return { restored, kept }
}

async function exists(store: Store, path: string): Promise<boolean> {
  try {
    await store.stat(path)
    return true
  } catch (error) {
    if (isServiceError(error, 'STORE_NOT_FOUND')) return false
    throw error
  }
}

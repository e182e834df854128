import { randomUUID } from 'node:crypto'
import { isServiceError, ServiceError } from '../errors.js'
import { retry } from '../stores/retry.js'
import type { Store } from '../stores/store.js'
import { Held, type Holder } from './file-lock.js'

export const lockObject = '.arc-backup.lock.json'
/** How long a request for a lock is tried, in ms. */
const patience = 5000
/** A lock that could not be renewed for this share of its time is given up before others may take it. */
const worried = 0.75
const lateConflicts = 8

/** What stands in the object. */
interface Written {
  readonly holder: Holder
  /** Of one taking of the lock. */
  readonly nonce: string
  readonly free: boolean
  /** Changes with each writing: where an ETag is a hash of the content, equal contents would have equal versions. */
  readonly turn: number
}

export interface ObjectLock {
  /** Renews it now. @throws LOCK_LOST */
  confirm(): Promise<void>
  release(): Promise<void>
}

/**
 * A lock for every host that reaches a store, by conditional writes alone: created if absent, renewed and given back by replacing the version that was last
 * seen. Never removed: some servers ignore the condition of a DELETE. Stale when it was not renewed for `ttlMs` by the store's own clock; then
 * the version is replaced, which one of any number of waiters can do.
 *
 * @param onLost called once when it is somebody else's, or could not be renewed for too long
 * @throws Held
 */
export async function lockByObject(
  store: Store,
  holder: Holder,
  ttlMs: number,
  onLost: () => void,
): Promise<ObjectLock> {
  const doors = smallDoors(store)
  const nonce = randomUUID()
  let turn = 0
  const write = async (free: boolean, version: string | undefined): Promise<string> => {
    turn += 1
    const text: Written = { holder, nonce, free, turn }
    const { etag = '' } = await doors.write(lockObject, text, version)
    return etag
  }
  const take = async (): Promise<string | null> => {
    const found = await doors.read(lockObject)
    try {
      if (!found) return await write(false, undefined)
      if (!found.text.free && found.text.nonce !== nonce) {
        const age = (await doors.now()) - found.mtimeMs
        if (age <= ttlMs) throw new Held(found.text.holder)
      }
      return await write(false, found.etag)
    } catch (error) {
      if (isConflict(error)) return null
      throw error
    }
  }
  let etag = await insist(take)
  let renewed = performance.now()
  let lost = false
  const lose = (): void => {
    if (lost) return
    lost = true
    clearInterval(timer)
    onLost()
  }
  let running: Promise<void> = Promise.resolve()
  const renew = (): Promise<void> => {
    running = running.then(async () => {
      if (lost) return
      try {
        etag = await write(false, etag)
        renewed = performance.now()
      } catch (error) {
        const found = isConflict(error) ? await doors.read(lockObject).catch(() => null) : null
        // The answer to our own writing was lost.
        if (found?.text.nonce === nonce) etag = found.etag
        else if (isConflict(error) || performance.now() - renewed > ttlMs * worried) lose()
      }
    })
    return running
  }
  const timer = setInterval(() => void renew(), ttlMs / 4)
  return {
    confirm: async () => {
      await renew()
      if (lost || performance.now() - renewed > ttlMs * worried) {
        lose()
        throw new ServiceError('LOCK_LOST', `another writer took the lock at ${store.url}`)
      }
    },
    release: async () => {
      clearInterval(timer)
      await running
      if (!lost) await write(true, etag)
    },
  }
}

/** Others come and go between reading and writing. @throws Held where that never ends */
async function insist(take: () => Promise<string | null>): Promise<string> {
  for (let tries = 0; tries < lateConflicts; tries += 1) {
    const etag = await take()
    if (etag !== null) return etag
  }
  throw new Held(undefined)
}

function isConflict(error: unknown): boolean {
  return isServiceError(error, 'STORE_EXISTS', 'STORE_NOT_FOUND')
}

/** Does this store obey conditions? One that ignores them would let everybody in. @throws CONFIG_INVALID */
export async function probeConditions(store: Store): Promise<void> {
  const doors = smallDoors(store)
  const path = `.arc-backup.probe-${randomUUID()}`
  const text: Written = { holder: { host: '', pid: 0, operation: 'probe', since: '' }, nonce: '', free: true, turn: 0 }
  try {
    const { etag = '' } = await doors.write(path, text, undefined)
    await doors.write(path, { ...text, turn: 1 }, etag)
    for (const version of [undefined, etag]) {
      const obeyed = await doors.write(path, { ...text, turn: 2 }, version).then(
        () => false,
        (error: unknown) => {
          if (isConflict(error)) return true
          throw error
        },
      )
      if (obeyed) continue
      throw new ServiceError(
        'CONFIG_INVALID',
        `${store.url} ignores conditional writes, so no lock can keep two writers apart: set lock = "none" for this target, and let one service alone write there`,
      )
    }
  } finally {
    await store.remove([path]).catch(() => {})
  }
}

function smallDoors(store: Store) {
  const persist = <T>(action: () => Promise<T>): Promise<T> => retry(action, { timeoutMs: patience })
  return {
    read: async (path: string): Promise<{ text: Written; etag: string; mtimeMs: number } | null> => {
      try {
        const found = await persist(async () => store.readSmall?.(path))
        if (!found) return null
        return {
          text: JSON.parse(found.bytes.toString()) as Written,
          etag: found.etag ?? '',
          mtimeMs: Number(found.mtimeNs / 1_000_000n),
        }
      } catch (error) {
        if (isServiceError(error, 'STORE_NOT_FOUND')) return null
        throw error
      }
    },
    write: async (path: string, text: Written, version: string | undefined) => {
      const bytes = Buffer.from(`${JSON.stringify(text)}\n`)
      const condition = version === undefined ? ({ ifAbsent: true } as const) : { ifVersion: version }
      // Not tried again: an answer that was lost would look like somebody else's writing.
      return (await store.writeSmall?.(path, bytes, condition)) ?? { etag: '' }
    },
    /** The store's own clock, in ms. */
    now: async (): Promise<number> => {
      const path = `.arc-backup.clock-${randomUUID()}`
      try {
        await persist(async () => store.writeSmall?.(path, Buffer.from('{}')))
        return Number((await store.stat(path)).mtimeNs / 1_000_000n)
      } finally {
        await store.remove([path]).catch(() => {})
      }
    },
  }
}

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isServiceError, ServiceError } from '../errors.js'
import { retry } from '../stores/retry.js'
import type { Store } from '../stores/store.js'
import { Held, type Holder } from './file-lock.js'

export const lockObject = '.arc-backup.lock.json'
/** How long a request for a lock is tried, and how long giving one back may take, in ms. */
const patience = 5000
const lastPatience = 2000
/** A lock that could not be renewed for this share of its time is given up before others may take it. */
const worried = 0.75
const lateConflicts = 8

/** What stands in the object. */
interface Written {
  readonly holder: Holder
  /** Of the state whose process took it. */
  readonly instance: string
  /** Of one taking of the lock. */
  readonly nonce: string
  readonly free: boolean
  /** Changes with each writing: where an ETag is a hash of the content, equal contents would have equal versions. */
  readonly turn: number
}

/** Locks that this process holds. */
const held = new Set<string>()

export interface ObjectLock {
  /** Renews it now. @throws LOCK_LOST */
  confirm(): Promise<void>
  release(): Promise<void>
}

export interface ObjectLockOptions {
  readonly holder: Holder
  readonly instance: string
  readonly ttlMs: number
  /** Called once when it is somebody else's, or could not be renewed for too long. */
  readonly onLost: () => void
}

/**
 * A lock for every host that reaches a store, by conditional writes alone: created if absent, renewed and given back by replacing the version that was last
 * seen. Never removed: some servers ignore the condition of a DELETE. Stale when it was not renewed for `ttlMs` by the store's own clock; then
 * the version is replaced, which one of any number of waiters can do. So is one that an earlier process of this instance left: there is
 * never more than one.
 *
 * @throws Held
 */
export async function lockByObject(store: Store, options: ObjectLockOptions): Promise<ObjectLock> {
  const { holder, instance, ttlMs, onLost } = options
  const doors = smallDoors(store)
  const nonce = randomUUID()
  let turn = 0
  /** An answer that was lost looks like somebody else's writing: what stands there tells. */
  const write = async (free: boolean, version: string | undefined): Promise<string> => {
    turn += 1
    try {
      return await doors.write(lockObject, { holder, instance, nonce, free, turn }, version)
    } catch (error) {
      const found = await doors.read(lockObject)
      if (found?.text.nonce === nonce && found.text.turn === turn) return found.etag
      throw error
    }
  }
  const isTaken = async ({ text, mtimeMs }: Found): Promise<boolean> => {
    if (text.free || (text.instance === instance && !held.has(text.nonce))) return false
    return (await doors.now()) - mtimeMs <= ttlMs
  }
  const take = async (): Promise<string | null> => {
    const found = await doors.read(lockObject)
    if (found && (await isTaken(found))) throw new Held(found.text.holder)
    try {
      return await write(false, found?.etag)
    } catch (error) {
      if (isConflict(error)) return null
      throw error
    }
  }
  let etag = await insist(take)
  held.add(nonce)
  let renewed = performance.now()
  let [lost, released] = [false, false]
  const lose = (): void => {
    // What is on its way still when it is given up loses nobody's lock.
    if (lost || released) return
    lost = true
    clearInterval(timer)
    onLost()
  }
  let running: Promise<void> = Promise.resolve()
  const renew = (free: boolean): Promise<void> => {
    running = running.then(async () => {
      if (lost) return
      try {
        etag = await write(free, etag)
        renewed = performance.now()
      } catch (error) {
        if (isConflict(error) || performance.now() - renewed > ttlMs * worried) lose()
      }
    })
    return running
  }
  const timer = setInterval(() => void renew(false), ttlMs / 4)
  return {
    confirm: async () => {
      await renew(false)
      if (lost || performance.now() - renewed > ttlMs * worried) {
        lose()
        throw new ServiceError('LOCK_LOST', `another writer took the lock at ${store.url}`)
      }
    },
    release: async () => {
      clearInterval(timer)
      released = true
      const late = new AbortController()
      await Promise.race([renew(true), sleep(lastPatience, undefined, { signal: late.signal }).catch(() => {})])
      late.abort()
      held.delete(nonce)
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
  const text: Written = {
    holder: { host: '', pid: 0, operation: 'probe', since: '' },
    instance: '',
    nonce: '',
    free: true,
    turn: 0,
  }
  try {
    const etag = await doors.write(path, text, undefined)
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

interface Found {
  readonly text: Written
  readonly etag: string
  readonly mtimeMs: number
}

function smallDoors(store: Store) {
  // The lock goes stale while a request is tried.
  const persist = <T>(action: () => Promise<T>): Promise<T> => retry(action, { timeoutMs: patience, fromStart: true })
  const read = async (path: string): Promise<Found | null> => {
    try {
      const found = await persist(async () => store.readSmall?.(path))
      if (!found) return null
      const { bytes, etag = '', mtimeNs } = found
      return { text: JSON.parse(bytes.toString()) as Written, etag, mtimeMs: Number(mtimeNs / 1_000_000n) }
    } catch (error) {
      if (isServiceError(error, 'STORE_NOT_FOUND')) return null
      throw error
    }
  }
  const write = (path: string, text: Written, version: string | undefined): Promise<string> => {
    const bytes = Buffer.from(`${JSON.stringify(text)}\n`)
    const condition = version === undefined ? ({ ifAbsent: true } as const) : { ifVersion: version }
    return persist(async () => (await store.writeSmall?.(path, bytes, condition))?.etag ?? '')
  }
  /** The store's own clock, in ms. */
  const now = async (): Promise<number> => {
    const path = `.arc-backup.clock-${randomUUID()}`
    try {
      await persist(async () => store.writeSmall?.(path, Buffer.from('{}')))
      return Number((await store.stat(path)).mtimeNs / 1_000_000n)
    } finally {
      await store.remove([path]).catch(() => {})
    }
  }
  return { read, write, now }
}

import { closeSync, openSync } from 'node:fs'
import { hostname } from 'node:os'
import { isFull, isServiceError, ServiceError } from '../errors.js'
import { LocalStore } from '../stores/local.js'
import { localFailure } from '../stores/local-failure.js'
import type { Store } from '../stores/store.js'
import { Held, lockFile } from './file-lock.js'
import { lockByObject, probeConditions } from './object-lock.js'

/** A place that nobody else writes to meanwhile. */
export interface PlaceLock {
  /** Is it still ours? Asked before a commit. @throws LOCK_LOST */
  confirm(): Promise<void>
  /** Never rejects. */
  release(): Promise<void>
}

export const lockName = '.arc-backup.lock'

export interface LockOptions {
  /** Id of the operation, for whoever is refused. */
  readonly operation: string
  readonly kind: string
  /** Of the state that the process works with. */
  readonly instance: string
  readonly ttlMs: number
  readonly onLost: () => void
}

const probed = new WeakSet<Store>()

/**
 * One writer for a place, across processes and hosts.
 *
 * @throws BUSY with `detail.heldBy`; CONFIG_INVALID for a store that ignores conditional writes; the store's own failure
 */
export async function lockPlace(store: Store, options: LockOptions): Promise<PlaceLock> {
  const { operation, kind, instance, ttlMs, onLost } = options
  const holder = { host: hostname(), pid: process.pid, operation, since: new Date().toISOString() }
  try {
    if (store instanceof LocalStore) {
      const lock = lockFile(`${store.url}/${lockName}`, holder)
      return { confirm: async () => {}, release: async () => quietly(() => lock.release('remove')) }
    }
    if (!probed.has(store)) await probeConditions(store)
    probed.add(store)
    const lock = await lockByObject(store, { holder, instance, ttlMs, onLost })
    return { confirm: () => lock.confirm(), release: async () => quietly(() => lock.release()) }
  } catch (error) {
    if (!(error instanceof Held)) throw isServiceError(error) ? error : unusable(store, error)
    const { holder: other } = error
    const who = other ? `operation ${other.operation} of process ${other.pid} on ${other.host}` : 'somebody else'
    throw new ServiceError('BUSY', `${store.url} is being written to by ${who}`, {
      operation: kind,
      ...(other && { heldBy: { host: other.host, operation: other.operation, since: other.since } }),
    })
  }
}

/** SQLite says only that it can't open its file; the system says why. */
function unusable({ url }: Store, cause: unknown): ServiceError {
  try {
    closeSync(openSync(`${url}/${lockName}`, 'a'))
  } catch (error) {
    return localFailure(error, 'write', lockName, url)
  }
  const why = cause instanceof Error ? cause.message : String(cause)
  const code = isFull(cause) ? 'STORE_FULL' : 'STORE_DENIED'
  return new ServiceError(code, `cannot write ${url}/${lockName}: ${why}`, { cause, verb: 'write' })
}

/** What can't be given back is stale before long, or dies with this process. */
async function quietly(action: () => void | Promise<void>): Promise<void> {
  try {
    await action()
  } catch {
    // As said above.
  }
}

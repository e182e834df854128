import { isServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { readTombstone, serializeTombstone } from '../format/tombstone.js'
import type { Store } from '../stores/store.js'
import { persist } from './write-text.js'

export interface BuryOptions {
  /** Ask once: who calls has waited for this store as long as it is to be waited for. */
  readonly once?: boolean
}

/**
 * Takes the name of a backup's manifest on an object store, so that whoever comes back late, or a request that was given up, can't commit it any more.
 *
 * @returns null; the manifest that has the name where the backup was committed before
 */
export async function entomb(store: Store, id: string, { once = false }: BuryOptions = {}): Promise<Buffer | null> {
  const path = `${id}/${backupPaths.manifest}`
  const text = Buffer.from(serializeTombstone(new Date()))
  try {
    const write = async () => store.writeSmall?.(path, text, { ifAbsent: true })
    await (once ? write() : persist(store, write))
    return null
  } catch (error) {
    if (!isServiceError(error, 'STORE_EXISTS')) throw error
  }
  const parts: Buffer[] = []
  for await (const part of await store.read(path)) parts.push(part as Buffer)
  const found = Buffer.concat(parts)
  return readTombstone(found) === null ? found : null
}

import { Readable } from 'node:stream'
import { isServiceError } from '../errors.js'
import { retry } from '../stores/retry.js'
import type { Store } from '../stores/store.js'

/** Tries again what a store leaves to its caller, as long as the store is to be tried. */
export function persist<T>(store: Store, action: () => Promise<T>): Promise<T> {
  return store.patience ? retry(action, { timeoutMs: store.patience.retryTimeoutMs }) : action()
}

/** Writes a small text as a whole. With `ifAbsent`: where the answer to an earlier try was lost, what is there is this one. */
export async function writeText(
  store: Store,
  path: string,
  text: string,
  options: { readonly ifAbsent?: true } = {},
): Promise<void> {
  const bytes = Buffer.from(text)
  let tries = 0
  await persist(store, async () => {
    tries += 1
    try {
      await store.write(path, Readable.from([bytes]), { size: bytes.length, ...options })
    } catch (error) {
      if (tries === 1 || !isServiceError(error, 'STORE_EXISTS') || !(await isThere(store, path, bytes))) throw error
    }
  })
}

async function isThere(store: Store, path: string, bytes: Buffer): Promise<boolean> {
  const parts: Buffer[] = []
  for await (const part of await store.read(path)) parts.push(part as Buffer)
  return Buffer.concat(parts).equals(bytes)
}

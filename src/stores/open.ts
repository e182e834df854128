import type { Store } from './store.js'

/** Where a store is, as a plain value that can go to a worker thread. */
export interface StoreConfig {
  readonly kind: 'local'
  /** Absolute path. */
  readonly root: string
}

/** Loads only the code of the store in use: the object stores' SDKs take up to 0.4 s. */
export async function openStore(config: StoreConfig): Promise<Store> {
  const { LocalStore } = await import('./local.js')
  return new LocalStore(config.root)
}

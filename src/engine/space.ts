import { ServiceError } from '../errors.js'
import type { Store } from '../stores/store.js'

/** File systems hand out room in blocks; this is the usual size, in bytes. A thousand files of 10 bytes take 4 MiB. */
const block = 4096

/** Bytes that a file takes on disk, its folder's share not counted. */
export function allocated(size: number): number {
  return Math.ceil(size / block) * block
}

/** What has still to be written. */
export interface Need {
  /** Bytes, as `allocated` counts them. */
  readonly bytes: number
  readonly files: number
}

/** The most that so many files of so many bytes take together. */
export function mostAllocated(files: number, bytes: number): Need {
  return { bytes: bytes + files * (block - 1), files }
}

/** @throws STORE_FULL where a store has a limit and the files would not find room; `hint` ends the sentence */
export async function checkSpace(store: Store, need: Need, hint = ''): Promise<void> {
  const free = await store.space?.()
  if (!free || (need.bytes <= free.bytes && need.files <= free.files)) return
  throw new ServiceError(
    'STORE_FULL',
    `not enough space at ${store.url}: ${need.bytes} bytes in ${need.files} files are needed, ${free.bytes} bytes and ${free.files} files are free${hint}`,
    { verb: 'write', needed: need.bytes, free: free.bytes },
  )
}

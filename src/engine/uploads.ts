import { existsSync, readFileSync } from 'node:fs'
import type { Store, Upload } from '../stores/store.js'
import { storeNames } from './run.js'

/** An upload in parts as a thread wrote it down, a line of JSON each: without its id before it begins, and with it before its first part moves. */
export interface RecordedUpload extends Upload {
  /** Name of the store in the pool. */
  readonly store: string
}

/** What is on record; a last line that was cut off belongs to an upload that had not begun. */
export function readUploads(file: string): RecordedUpload[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as RecordedUpload)
}

/**
 * Removes the parts of every upload on record. A store does so itself when a write fails; this is for what it could not, because it did not
 * answer or its thread was gone. One that was completed or removed already does no harm.
 */
export async function abortUploads(file: string, storeOf: (name: string) => Store): Promise<void> {
  const unknown = new Map<string, RecordedUpload>()
  for (const upload of readUploads(file)) {
    const { store, path, uploadId } = upload
    if (uploadId === '') unknown.set(`${store}/${path}`, upload)
    else {
      unknown.delete(`${store}/${path}`)
      await storeOf(store).abortUpload?.({ path, uploadId })
    }
  }
  for (const { store, path, uploadId } of unknown.values()) {
    // In a live bucket it may be Arc's own; below a backup of ours there is nobody else.
    if (store !== storeNames.storage) await storeOf(store).abortUpload?.({ path, uploadId })
  }
}

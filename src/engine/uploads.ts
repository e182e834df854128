import { existsSync, readFileSync } from 'node:fs'
import type { Store, Upload } from '../stores/store.js'

/** An upload in parts as a thread wrote it down before its first part moved: a line of JSON each. */
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
  for (const { store, path, uploadId } of readUploads(file)) await storeOf(store).abortUpload?.({ path, uploadId })
}

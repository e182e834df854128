import { existsSync, readFileSync } from 'node:fs'
import type { Store } from '../stores/store.js'
import { storeNames } from './run.js'
import { noteEnd, type RecordedUpload } from './upload-notes.js'

/** Those on record that nobody saw end; a last line that was cut off belongs to an upload that had not begun. */
export function openUploads(file: string): RecordedUpload[] {
  if (!existsSync(file)) return []
  const open = new Map<string, RecordedUpload>()
  const keyOf = (store: string, path: string, uploadId: string): string => JSON.stringify([store, path, uploadId])
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const upload = JSON.parse(line) as RecordedUpload
    const { store, path, uploadId, ended } = upload
    if (ended) {
      open.delete(keyOf(store, path, uploadId))
      continue
    }
    open.delete(keyOf(store, path, ''))
    // In a live bucket one without an id may be Arc's own; below a backup of ours there is nobody else.
    if (uploadId !== '' || store !== storeNames.storage) open.set(keyOf(store, path, uploadId), upload)
  }
  return [...open.values()]
}

/**
 * Removes the parts of every such upload. A store does so itself when a write fails; this is for what it could not, because it did not
 * answer or its thread was gone. One that was completed or removed already does no harm.
 */
export async function abortUploads(file: string, storeOf: (name: string) => Store): Promise<void> {
  for (const upload of openUploads(file)) {
    const { store, path, uploadId } = upload
    await storeOf(store).abortUpload?.({ path, uploadId })
    noteEnd(file, upload)
  }
}

import { appendFileSync } from 'node:fs'
import type { Upload, UploadNotes } from '../stores/store.js'

/**
 * A line of JSON that a thread wrote down of an upload in parts: without its id before it begins, with it before its first part moves, and once more when it was
 * completed or removed.
 */
export interface RecordedUpload extends Upload {
  /** Name of the store in the pool. */
  readonly store: string
  readonly ended?: true
}

/** Keeps the record of the uploads to a store. */
export function notesOn(file: string, store: string): Required<UploadNotes> {
  const onUpload = ({ path, uploadId }: Upload): void => note(file, { store, path, uploadId })
  return {
    onUpload,
    beforeUpload: (path) => onUpload({ path, uploadId: '' }),
    onUploadEnd: ({ path, uploadId }) => noteEnd(file, { store, path, uploadId }),
  }
}

/** One that is not noted is removed once more, which does no harm: a full disk is no reason to fail. */
export function noteEnd(file: string, { store, path, uploadId }: RecordedUpload): void {
  try {
    note(file, { store, path, uploadId, ended: true })
  } catch {}
}

function note(file: string, upload: RecordedUpload): void {
  // Appending a short line is atomic: the threads share the file.
  appendFileSync(file, `${JSON.stringify(upload)}\n`)
}

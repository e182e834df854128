import { type Failure, toFailure } from '../errors.js'
import { checkDatabase } from './check.js'
import { type RestoreDatabaseOptions, restoreDatabase } from './restore-database.js'
import { snapshotDatabase } from './snapshot.js'

/** What the metadata thread is asked to do; a plain value. */
export type MetadataTask =
  | { readonly kind: 'snapshot'; readonly path: string; readonly to: string; readonly deadlineMs?: number }
  | { readonly kind: 'check'; readonly path: string }
  | ({ readonly kind: 'restore' } & RestoreDatabaseOptions)

/** Class and code of an error would be lost at the thread boundary: a failure is a result. */
export type MetadataOutcome = { readonly ok: true } | { readonly ok: false; readonly failure: Failure }

export async function runMetadataTask(task: MetadataTask): Promise<MetadataOutcome> {
  try {
    if (task.kind === 'snapshot') await snapshotDatabase(task)
    else if (task.kind === 'check') checkDatabase(task.path)
    else await restoreDatabase(task)
    return { ok: true }
  } catch (error) {
    return { ok: false, failure: toFailure(error) }
  }
}

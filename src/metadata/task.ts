import { type Failure, ServiceError, toFailure } from '../errors.js'
import { type Beyond, lookBeyond } from './beyond.js'
import { checkDatabase } from './check.js'
import { checkFit, type RestoreDatabaseOptions, restoreDatabase } from './restore-database.js'
import { snapshotDatabase } from './snapshot.js'

/** What the metadata thread is asked to do; a plain value. */
export type MetadataTask = SnapshotTask | CheckTask | ({ readonly kind: 'restore' } & RestoreDatabaseOptions)

interface CheckTask {
  readonly kind: 'check'
  readonly path: string
  /** What messages call it. */
  readonly name?: string
  readonly thorough?: true
  /** The live database that it is to replace. */
  readonly replaces?: string
}

interface SnapshotTask {
  readonly kind: 'snapshot'
  readonly path: string
  readonly to: string
  readonly deadlineMs?: number
  /** One shared cell: anything but 0 asks for an end. */
  readonly stop?: Int32Array
}

/** Class and code of an error would be lost at the thread boundary: a failure is a result. */
export type MetadataOutcome =
  | {
      readonly ok: true
      /** Of a snapshot. */
      readonly beyond?: Beyond
    }
  | { readonly ok: false; readonly failure: Failure }

export async function runMetadataTask(task: MetadataTask): Promise<MetadataOutcome> {
  try {
    if (task.kind === 'snapshot') {
      await snapshotDatabase({ ...task, check: () => checkStop(task) })
      return { ok: true, beyond: lookBeyond(task.to) }
    }
    if (task.kind === 'check') {
      checkDatabase(task.path, task.name, task.thorough)
      if (task.replaces !== undefined) checkFit(task.path, task.replaces)
    } else await restoreDatabase(task)
    return { ok: true }
  } catch (error) {
    return { ok: false, failure: toFailure(error) }
  }
}

function checkStop({ stop, path }: SnapshotTask): void {
  if (stop && Atomics.load(stop, 0) !== 0) throw new ServiceError('CANCELLED', `the copy of ${path} was stopped`)
}

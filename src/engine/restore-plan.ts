import { createHash } from 'node:crypto'
import { ServiceError } from '../errors.js'
import type { RestoreRequest } from './operation.js'

/** Files and their bytes. */
export interface Tally {
  files: number
  bytes: number
}

/** What a restore would do to one SQLite file or to the configuration. */
export interface PartPlan {
  readonly name: string
  /** The live file; null where no configuration file is loaded. */
  readonly path: string | null
  /** `replace` keeps the old state as `.before-restore`. */
  readonly action: 'replace' | 'create' | 'keep'
  /** Why it is kept. */
  readonly why?: 'not asked for' | 'not in the backup'
  /** Bytes that it has in the backup; null where that is not on record. */
  readonly bytes: number | null
}

/** What a restore would do, and what it would do it to. Sizes in bytes. */
export interface RestorePlan {
  readonly planId: string
  readonly backupId: string
  readonly target: string
  readonly mode: RestoreRequest['mode']
  /** Is a SHA-256 on record for every file? */
  readonly verified: boolean
  /** `changed` by what a listing tells: size and modification time, or version tag. `kept` and `movedAside`: live Parquet files that the backup lacks. */
  readonly files: Readonly<Record<FileKind, Tally>>
  /** Day partitions that would hold compacted files and those that they were made of; at most 32 named. */
  readonly mixedPartitions: { readonly count: number; readonly sample: readonly string[] }
  /** Files that the backup should have and lacks: the restore would end as failed. */
  readonly missingFiles: number
  /** `free…` is null where a store has no limit. */
  readonly space: {
    readonly neededBytes: number
    readonly neededFiles: number
    readonly freeBytes: number | null
    readonly freeFiles: number | null
    readonly sufficient: boolean
  }
  readonly databases: readonly PartPlan[]
  readonly configuration: PartPlan
  readonly warnings: readonly string[]
}

export const fileKinds = ['new', 'changed', 'unchanged', 'kept', 'movedAside'] as const
export type FileKind = (typeof fileKinds)[number]

export const planIdPattern = /^[0-9a-f]{16}\.[0-9a-f]{16}(\.[0-9a-z]+){12}\.[rck]*$/

/** What a plan's id is made of, beside the plan itself. */
export interface PlanBasis {
  readonly request: RestoreRequest
  readonly target: string
  /** SHA-256 (hex) of the backup's manifest. */
  readonly manifestSha256: string
  /** SHA-256 (hex) over the live files that would be replaced, kept or moved aside. */
  readonly liveSha256: string
}

/**
 * An id that carries what the plan said: nothing is kept of it, and a restore that brings it can still be told what is different. How much room is free is not
 * part of it: that changes all the time, and the restore looks again.
 */
export function planIdOf(plan: Omit<RestorePlan, 'planId'>, basis: PlanBasis): string {
  const { databases: names, planId: _, dryRun: __, target: ___, ...asked } = basis.request
  const databases = names ? [...names].sort() : null
  const scope = JSON.stringify([Object.entries({ ...asked, databases }).sort(), basis.target, basis.manifestSha256])
  const tallies = fileKinds.flatMap((kind) => [plan.files[kind].files, plan.files[kind].bytes])
  const counts = [...tallies, plan.mixedPartitions.count, plan.missingFiles].map((count) => count.toString(36))
  const actions = [...plan.databases, plan.configuration].map(({ action }) => action[0]).join('')
  const digest = createHash('sha256').update(scope).digest('hex')
  return [digest.slice(0, 16), basis.liveSha256.slice(0, 16), ...counts, actions].join('.')
}

const labels: Readonly<Record<FileKind, string>> = {
  new: 'new files',
  changed: 'changed files',
  unchanged: 'unchanged files',
  kept: 'files kept',
  movedAside: 'files moved aside',
}

/** What is not as the earlier plan said, as sentences; none where it still holds. @throws REQUEST_INVALID for what is no plan's id */
export function differences(plannedId: string, nowId: string): string[] {
  if (!planIdPattern.test(plannedId))
    throw new ServiceError('REQUEST_INVALID', 'plan_id must be the plan_id of a dry run')
  const [planned, now] = [plannedId.split('.'), nowId.split('.')]
  if (planned[0] !== now[0]) return ['the plan was made for another request, or for another state of the backup']
  const found: string[] = []
  const numberAt = (parts: readonly string[], index: number): number => Number.parseInt(parts[index] ?? '', 36)
  const compare = (index: number, label: string, unit = ''): void => {
    const [before, after] = [numberAt(planned, index), numberAt(now, index)]
    if (before !== after) found.push(`${label}: ${before}${unit} when it was planned, ${after}${unit} now`)
  }
  for (const [index, kind] of fileKinds.entries()) {
    compare(2 + index * 2, labels[kind])
    compare(3 + index * 2, labels[kind], ' bytes')
  }
  compare(12, 'partitions with compacted and raw files')
  compare(13, 'files that the backup lacks')
  if (planned[14] !== now[14]) found.push('what happens to databases and configuration')
  if (found.length === 0 && planned[1] !== now[1]) found.push('as many live files as planned, but not the same ones')
  return found
}

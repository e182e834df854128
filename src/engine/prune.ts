import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { isServiceError, ServiceError, toFailure } from '../errors.js'
import { type FoundManifest, listManifests } from './backups.js'
import { deleteBackup } from './delete.js'
import type { PruneRequest, PruneStatus } from './operation.js'
import { isPinned, removePin } from './pins.js'
import { applyRetention, type Candidate, type KeepReason, type RetentionPolicy } from './retention.js'
import type { Run } from './run.js'
import type { Target } from './targets.js'
import type { Verdicts } from './verdicts.js'

/** Backups that a status names of each kind; counts are always whole. */
const mostNamed = 1000

/** A backup as a prune sees it. */
interface Prunable extends Candidate {
  readonly files: number
  /** By its manifest; what it shares with other backups is freed only with the last of them. */
  readonly bytes: number
}

/** What a prune would do. */
export interface PrunePlan<T extends Candidate = Candidate> {
  readonly target: string
  readonly timezone: string
  readonly keep: readonly { readonly backup: T; readonly reasons: readonly KeepReason[] }[]
  readonly remove: readonly T[]
  /** Backups that could not be read: they are neither counted nor removed. */
  readonly warnings: readonly string[]
}

export async function planPrune(
  target: Target,
  policy: RetentionPolicy,
  verdicts: Pick<Verdicts, 'of'>,
  log: Logger,
): Promise<PrunePlan<Prunable>> {
  const { manifests, warnings } = await listManifests(target.store, log)
  const backups = manifests.map((found) => prunable(found, verdicts, target.name))
  return { target: target.name, timezone: policy.timezone, ...applyRetention(backups, policy), warnings }
}

/** What a prune needs of the coordinator. */
export interface PruneParts {
  readonly target: Target
  readonly verdicts: Pick<Verdicts, 'of' | 'forget'>
  /** @throws BUSY for a backup that is being looked at */
  readonly refuseDelete: (backupId: string, target: string) => void
  /** From here on this backup can't be pinned any more; null: none. */
  readonly removing: (backupId: string | null) => void
}

/**
 * A prune, as a list of steps. Oldest first, so that one that is interrupted leaves what is newest; a backup that can't be removed keeps nobody from removing the
 * others.
 *
 * @throws what kept the first of them from being removed
 */
export async function runPrune(run: Run, request: PruneRequest, parts: PruneParts): Promise<'completed'> {
  const { tracker, progress } = run
  tracker.enter('listing')
  const plan = await planPrune(parts.target, request.policy, parts.verdicts, run.log)
  for (const warning of plan.warnings) tracker.warn(warning)
  const account = new Account(plan)
  tracker.prune = account.status()
  tracker.totalFiles = plan.remove.reduce((sum, { files }) => sum + files, 0)
  tracker.totalBytes = plan.remove.reduce((sum, { bytes }) => sum + bytes, 0)
  tracker.totalsKnown = true
  tracker.enter('cleaning')
  for (const backup of plan.remove.toReversed()) {
    progress.check()
    await run.confirmLocks()
    try {
      const reason = await removeOne(run, backup.id, parts)
      if (reason === null) account.removed.push(backup.id)
      else account.kept.push({ backupId: backup.id, reasons: [reason] })
    } catch (error) {
      const { code, message } = toFailure(error)
      account.failed.push({ backupId: backup.id, code, message })
      run.log.error({ backup_id: backup.id, err: error }, 'cannot remove a backup that is not to be kept')
    }
    progress.add('files', backup.files)
    progress.add('bytes', backup.bytes)
    tracker.prune = account.status()
  }
  const [first] = account.failed
  if (!first) return 'completed'
  const counts = `${account.failed.length} of ${plan.remove.length} backups that are not to be kept`
  throw new ServiceError(
    first.code,
    `cannot remove ${counts} at ${run.target.url}: ${first.backupId}: ${first.message}`,
  )
}

/** @returns why it is kept after all, or null once it is gone */
async function removeOne(run: Run, id: string, parts: PruneParts): Promise<KeepReason | null> {
  const { target, verdicts } = parts
  try {
    parts.refuseDelete(id, target.name)
  } catch (error) {
    if (isServiceError(error, 'BUSY')) return 'being verified'
    throw error
  }
  try {
    parts.removing(id)
    // Pinned since the list was made.
    if (await isPinned(target.store, id)) return 'pinned'
    const marker = {
      instance: run.journal.instance,
      operation: run.id,
      kind: 'delete',
      host: hostname(),
      since: run.startedAt.toISOString(),
    } as const
    const { removed } = await deleteBackup(target, run.pool, id, marker, run.confirmLocks)
    verdicts.forget(id, target.name)
    await removed
    await removePin(target.store, id)
    run.log.info({ removed: id }, 'removed a backup that is not to be kept')
    return null
  } finally {
    parts.removing(null)
  }
}

/** What has become of each backup so far. */
class Account {
  readonly kept: { backupId: string; reasons: readonly KeepReason[] }[]
  readonly removed: string[] = []
  readonly failed: PruneStatus['failed'][number][] = []
  readonly #timezone: string

  constructor({ keep, timezone }: PrunePlan) {
    this.#timezone = timezone
    this.kept = keep.map(({ backup, reasons }) => ({ backupId: backup.id, reasons }))
  }

  status(): PruneStatus {
    const { kept, removed, failed } = this
    return {
      timezone: this.#timezone,
      keptBackups: kept.length,
      removedBackups: removed.length,
      failedBackups: failed.length,
      kept: kept.slice(0, mostNamed),
      removed: removed.slice(0, mostNamed),
      failed: failed.slice(0, mostNamed),
    }
  }
}

function prunable(
  { manifest, sha256, pinned }: FoundManifest,
  verdicts: Pick<Verdicts, 'of'>,
  target: string,
): Prunable {
  const { verified } = verdicts.of(manifest.backup_id, target, sha256)
  return {
    id: manifest.backup_id,
    createdAt: manifest.created_at,
    scope: manifest.scope,
    verified: verified !== undefined && verified !== 'damaged',
    pinned: pinned === true,
    files: manifest.total_files,
    bytes: manifest.total_size_bytes,
  }
}

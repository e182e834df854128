import type { JournalEntry } from '../engine/journal.js'
import type { OperationStatus } from '../engine/operation.js'
import type { RestorePlan } from '../engine/restore-plan.js'
import type { BackupList } from '../engine/targets.js'
import { recordedRequestBody } from './recorded-request.js'
import { pruneBody } from './retention.js'

/** `/status` as Arc has it, then our own keys. Bytes, milliseconds, RFC 3339. */
export function statusBody(status: OperationStatus | null): Record<string, unknown> {
  if (!status) return { status: 'idle' }
  return {
    operation: status.operation,
    ...(status.operation !== 'prune' && { backup_id: status.backupId }),
    status: status.status,
    total_files: status.totalFiles,
    processed_files: status.processedFiles,
    skipped_files: status.skippedFiles,
    total_bytes: status.totalBytes,
    processed_bytes: status.processedBytes,
    started_at: status.startedAt,
    ...(status.completedAt !== null && { completed_at: status.completedAt }),
    ...(status.error !== null && { error: status.error }),
    ...(status.errorCode !== null && { error_code: status.errorCode }),
    operation_id: status.operationId,
    event_id: positionOf(status),
    target: status.target,
    outcome: status.outcome,
    phase: status.phase,
    phase_ms: status.phaseMs,
    bytes_per_second: status.bytesPerSecond,
    eta_seconds: status.etaSeconds,
    ...(status.status === 'running' && status.flights && status.flights.length > 0 && { in_flight: status.flights }),
    ...(status.serverSideFiles > 0 && { server_side_files: status.serverSideFiles }),
    ...(status.operation === 'backup' && { reused_files: status.reusedFiles, reused_bytes: status.reusedBytes }),
    warnings: status.warnings,
    ...(status.resumes > 0 && { resumes: status.resumes }),
    ...(status.databases && { databases: status.databases }),
    ...(status.skippedSample.length > 0 && { skipped_sample: status.skippedSample }),
    ...settledBody(status),
    ...restoreBody(status),
    ...verifyBody(status),
    ...(status.prune && pruneBody(status.prune)),
  }
}

/** Which operation, and how far it is: what tells two statuses apart. Empty before the first operation. */
export function positionOf(status: OperationStatus | null): string {
  if (!status) return ''
  return [status.operationId, status.phase, status.processedFiles, status.processedBytes].join('.')
}

/** An operation on record: its status, who asked, and for what. */
export function operationBody({ status, request, caller, resumable }: JournalEntry): Record<string, unknown> {
  return { ...statusBody(status), resumable, requested_by: caller, request: recordedRequestBody(request) }
}

export function listBody({ backups, warnings, unreachable }: BackupList): Record<string, unknown> {
  return {
    backups,
    count: backups.length,
    ...(unreachable.length > 0 && {
      unreachable_targets: unreachable,
      warning: `some targets gave no answer: ${unreachable.join(', ')}`,
    }),
    ...(warnings.length > 0 && { warnings }),
  }
}

/** What a restore would do. */
export function planBody(plan: RestorePlan): Record<string, unknown> {
  const { files, space } = plan
  return {
    dry_run: true,
    plan_id: plan.planId,
    backup_id: plan.backupId,
    target: plan.target,
    mode: plan.mode,
    verified: plan.verified,
    files: {
      new: files.new,
      changed: files.changed,
      unchanged: files.unchanged,
      kept: files.kept,
      moved_aside: files.movedAside,
    },
    mixed_partitions: plan.mixedPartitions,
    missing_files: plan.missingFiles,
    space: {
      needed_bytes: space.neededBytes,
      needed_files: space.neededFiles,
      free_bytes: space.freeBytes,
      free_files: space.freeFiles,
      sufficient: space.sufficient,
    },
    databases: plan.databases,
    configuration: plan.configuration,
    warnings: plan.warnings,
  }
}

function settledBody({ settled }: OperationStatus): Record<string, unknown> {
  if (!settled) return {}
  const { passes, replacedFiles, consumedInputs } = settled
  return { settled_passes: passes, replaced_files: replacedFiles, consumed_inputs_skipped: consumedInputs }
}

function restoreBody({ restore, unchangedFiles }: OperationStatus): Record<string, unknown> {
  if (!restore) return {}
  return {
    mode: restore.mode,
    verified: restore.verified,
    missing_files: restore.missingFiles,
    ...(restore.missingSample.length > 0 && { missing_sample: restore.missingSample }),
    unchanged_files: unchangedFiles,
    kept_files: restore.keptFiles,
    kept_partitions: restore.keptPartitions,
    replaced_files: restore.replacedFiles,
  }
}

function verifyBody({ verify }: OperationStatus): Record<string, unknown> {
  if (!verify) return {}
  const { damaged, missing, unexpected } = verify.flaws
  return {
    level: verify.level,
    verified: verify.verdict,
    damaged_files: damaged.files,
    missing_files: missing.files,
    unexpected_files: unexpected.files,
    ...(damaged.sample.length > 0 && { damaged_sample: damaged.sample }),
    ...(missing.sample.length > 0 && { missing_sample: missing.sample }),
    ...(unexpected.sample.length > 0 && { unexpected_sample: unexpected.sample }),
  }
}

/** Seconds as Go prints a duration: 3723.5 → `1h2m3s`. */
export function goDuration(seconds: number): string {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)]
  if (hours > 0) return `${hours}h${minutes}m${rest}s`
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`
}

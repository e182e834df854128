import { randomBytes } from 'node:crypto'
import { ServiceError } from '../errors.js'
import { newBackupId } from '../format/backup-id.js'
import { runBackup } from './backup.js'
import type { Plan } from './execution.js'
import type { Interrupted } from './journal.js'
import type { BackupRequest, Caller, RestoreRequest } from './operation.js'
import { runRestore } from './restore.js'
import type { Target, Targets } from './targets.js'

export function newOperationId(): string {
  return randomBytes(6).toString('hex')
}

export function planBackup(target: Target, request: BackupRequest, caller: Caller, id = newOperationId()): Plan {
  return {
    id,
    kind: 'backup',
    backupId: newBackupId(new Date()),
    target,
    request,
    caller,
    action: (run) => runBackup(run, request),
  }
}

export function planRestore(target: Target, request: RestoreRequest, caller: Caller): Plan {
  return {
    id: newOperationId(),
    kind: 'restore',
    backupId: request.backupId,
    target,
    request,
    caller,
    action: (run) => runRestore(run, request),
  }
}

/** An interrupted operation once more, under its own ids. @throws REQUEST_INVALID where its target is not configured any more */
export function planAgain(targets: Targets, { status, request, caller: name }: Interrupted): Plan {
  const target = targets.get(status.target)
  const caller = { name, credential: null }
  const { operationId: id, backupId } = status
  if (status.operation === 'backup')
    return { ...planBackup(target, request as unknown as BackupRequest, caller), id, backupId }
  if (status.operation === 'restore')
    return { ...planRestore(target, request as unknown as RestoreRequest, caller), id }
  throw new ServiceError('REQUEST_INVALID', `a ${String(status.operation)} is not resumed`)
}

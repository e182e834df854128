import { z } from 'zod'
import type { BackupRequest, RestoreRequest } from '../engine/operation.js'
import { ServiceError } from '../errors.js'
import { isBackupId } from '../format/backup-id.js'

const mostDatabases = 256

/** Go takes `null` for a field that is not there. */
const flag = z.boolean({ error: 'must be true or false' }).nullish()

const databases = z
  .array(z.string({ error: 'must be names' }), { error: 'must be an array of names' })
  .min(1, { error: 'must name at least one database' })
  .max(mostDatabases, { error: `must not name more than ${mostDatabases} databases` })
  .superRefine((names, context) => {
    const seen = new Set<string>()
    for (const name of names) {
      if (!isDatabaseName(name))
        context.addIssue({
          code: 'custom',
          message: `must be names of databases, not ${JSON.stringify(name.slice(0, 80))}`,
        })
      if (seen.has(name))
        context.addIssue({ code: 'custom', message: `must not name ${JSON.stringify(name.slice(0, 80))} twice` })
      seen.add(name)
    }
  })
  .nullish()

export const createSchema = z.object({ include_metadata: flag, include_config: flag, databases })

export const restoreSchema = z.object({
  backup_id: z.string({ error: 'must be a string' }).nullish(),
  confirm: flag,
  restore_data: flag,
  restore_metadata: flag,
  restore_config: flag,
  databases,
  mode: z.enum(['merge', 'replace'], { error: 'must be "merge" or "replace"' }).nullish(),
  all_or_nothing: flag,
  staging: z.enum(['all', 'file'], { error: 'must be "all" or "file"' }).nullish(),
})

/** The body of a create; undefined for an empty one. @throws REQUEST_INVALID with what was expected */
export function parseCreate(body: unknown): BackupRequest {
  const request = read(
    createSchema,
    body ?? {},
    (why) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`),
  )
  const { databases: names } = request
  if (names) refuseShared('include_metadata', request.include_metadata, 'include_config', request.include_config)
  return {
    includeMetadata: request.include_metadata ?? !names,
    includeConfig: request.include_config ?? !names,
    ...(names && { databases: names }),
  }
}

/** The body of a restore, checked in Arc's order and refused in its words. @throws REQUEST_INVALID, `detail.expected` says what was expected */
export function parseRestore(body: unknown): RestoreRequest {
  const request = read(
    restoreSchema,
    body,
    (expected) => new ServiceError('REQUEST_INVALID', 'Invalid request body', { expected }),
  )
  const { databases: names, backup_id: backupId } = request
  if (!backupId || !isBackupId(backupId)) throw new ServiceError('REQUEST_INVALID', 'Invalid or missing backup_id')
  if (request.confirm !== true) {
    throw new ServiceError('REQUEST_INVALID', 'Restore is a destructive operation. Set confirm: true to proceed.')
  }
  if (names) refuseShared('restore_metadata', request.restore_metadata, 'restore_config', request.restore_config)
  if (request.all_or_nothing && request.staging === 'file') {
    throw new ServiceError(
      'REQUEST_INVALID',
      'all_or_nothing needs staging "all": with "file" each file is switched in by itself',
    )
  }
  return {
    backupId,
    restoreData: request.restore_data ?? true,
    restoreMetadata: request.restore_metadata ?? !names,
    restoreConfig: request.restore_config ?? false,
    mode: request.mode ?? 'merge',
    allOrNothing: request.all_or_nothing ?? false,
    staging: request.staging ?? 'all',
    ...(names && { databases: names }),
  }
}

/** One database must not roll back everyone's tokens. */
function refuseShared(metadata: string, metadataWanted: unknown, config: string, configWanted: unknown): void {
  for (const [field, wanted] of [
    [metadata, metadataWanted],
    [config, configWanted],
  ]) {
    if (wanted === true)
      throw new ServiceError('REQUEST_INVALID', `${field} must not be true with databases: it concerns all of them`)
  }
}

function read<T extends z.ZodType>(schema: T, body: unknown, refuse: (why: string) => ServiceError): z.output<T> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refuse('it must be a JSON object')
  // Go matches keys without regard to case, and of repeated ones takes the last.
  const fields = Object.fromEntries(Object.entries(body).map(([key, value]) => [key.toLowerCase(), value]))
  const parsed = schema.safeParse(fields)
  if (parsed.success) return parsed.data
  throw refuse(parsed.error.issues.map(({ path, message }) => `${String(path[0])} ${message}`).join('; '))
}

function isDatabaseName(name: string): boolean {
  return /^[^/\0.][^/\0]{0,254}$/.test(name) && name !== '_schema' && name !== '_compaction_state'
}

import { z } from 'zod'
import type { BackupRequest, RestoreRequest, VerifyRequest } from '../engine/operation.js'
import { planIdPattern } from '../engine/restore-plan.js'
import { ServiceError } from '../errors.js'
import { isBackupId } from '../format/backup-id.js'

const mostDatabases = 256

/** Go takes `null` for a field that is not there. */
export const flag = (description: string) =>
  z.boolean({ error: 'must be true or false' }).nullish().meta({ description })

/** Checked by hand: for a long list of wrong values zod would gather one issue for each. */
const databases = z
  .custom<readonly string[]>()
  .superRefine((value: unknown, context) => {
    const flaw = flawOfDatabases(value)
    if (flaw !== null) context.addIssue({ code: 'custom', message: flaw })
  })
  .meta({ type: 'array', items: { type: 'string' }, minItems: 1, maxItems: mostDatabases, uniqueItems: true })
  .nullish()
  .meta({ description: 'only these databases; absent: all' })

export const target = z
  .string({ error: 'must be the name of a target' })
  .nullish()
  .meta({ description: 'name of a target; absent: the default one for a new backup, else whichever has the backup' })

export const createSchema = z
  .object({
    include_metadata: flag('arc.db and the other SQLite files; default true, with databases false'),
    include_config: flag('arc.toml; default true, with databases or where any target is remote false'),
    incremental: flag(
      'take what has not changed from an earlier backup at the target; default as backup.incremental says',
    ),
    databases,
    target,
  })
  .meta({ examples: [{}, { databases: ['metrics'], target: 'offsite' }] })

const planIdError = 'must be the plan_id of a dry run'

export const restoreSchema = z
  .object({
    backup_id: z.string({ error: 'must be a string' }).nullish().meta({ description: 'id of the backup; needed' }),
    target,
    confirm: flag('must be true: a restore overwrites live data'),
    restore_data: flag("the databases' files; default true"),
    restore_metadata: flag('arc.db and the other SQLite files; default true, with databases false'),
    restore_config: flag('arc.toml; default false'),
    databases,
    mode: z.enum(['merge', 'replace'], { error: 'must be "merge" or "replace"' }).nullish().meta({
      description: 'merge (the default): keep live Parquet files that the backup lacks; replace: move them aside',
    }),
    all_or_nothing: flag('change nothing unless every file is proven; default false'),
    staging: z
      .enum(['all', 'file'], { error: 'must be "all" or "file"' })
      .nullish()
      .meta({ description: 'all (the default): prove everything first; file: one by one, where room is short' }),
    compare: z.enum(['hash', 'stat'], { error: 'must be "hash" or "stat"' }).nullish().meta({
      description:
        'which live files are left alone: hash (the default): of the same bytes; stat: of the same size and modification time',
    }),
    dry_run: flag('only say what would happen; confirm is not needed then; default false'),
    plan_id: z
      .string({ error: planIdError })
      .regex(planIdPattern, { error: planIdError })
      .nullish()
      .meta({ description: 'of a dry run: start only if what it said still holds' }),
  })
  .meta({ examples: [{ backup_id: 'backup-20261123-103045-c526b8a7', confirm: true }] })

export const verifySchema = z
  .object({
    level: z
      .enum(['quick', 'full', 'deep'], { error: 'must be "quick", "full" or "deep"' })
      .nullish()
      .meta({ description: 'quick: names and sizes; full (the default): every byte; deep: what the files are, too' }),
    target,
  })
  .meta({ examples: [{ level: 'quick' }] })

/** The body of a create; undefined for an empty one. @throws REQUEST_INVALID with what was expected */
export function parseCreate(body: unknown): BackupRequest {
  const request = read(
    createSchema,
    body === undefined ? {} : body,
    (why) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`),
  )
  const { databases: names } = request
  if (names) refuseShared('include_metadata', request.include_metadata, 'include_config', request.include_config)
  return {
    includeMetadata: request.include_metadata ?? !names,
    ...(typeof request.include_config === 'boolean' && { includeConfig: request.include_config }),
    ...(typeof request.incremental === 'boolean' && { incremental: request.incremental }),
    ...(names && { databases: names }),
    ...(request.target && { target: request.target }),
  }
}

/** The body of a restore, checked in Arc's order and refused in its words. @throws REQUEST_INVALID, `detail.explanation` says what was expected */
export function parseRestore(body: unknown, named?: string): RestoreRequest {
  const request = read(
    restoreSchema,
    // Go takes the JSON null for an object without fields.
    body === null ? {} : body,
    (explanation) => new ServiceError('REQUEST_INVALID', 'Invalid request body', { explanation }),
  )
  const { databases: names, backup_id: backupId } = request
  if (!backupId || !isBackupId(backupId)) throw new ServiceError('REQUEST_INVALID', 'Invalid or missing backup_id')
  if (request.confirm !== true && request.dry_run !== true) {
    throw new ServiceError('REQUEST_INVALID', 'Restore is a destructive operation. Set confirm: true to proceed.')
  }
  if (names) refuseShared('restore_metadata', request.restore_metadata, 'restore_config', request.restore_config)
  if (request.all_or_nothing && request.staging === 'file') {
    throw new ServiceError(
      'REQUEST_INVALID',
      'all_or_nothing needs staging "all": with "file" each file is switched in by itself',
    )
  }
  const from = request.target ?? named
  return {
    backupId,
    ...(from && { target: from }),
    restoreData: request.restore_data ?? true,
    restoreMetadata: request.restore_metadata ?? !names,
    restoreConfig: request.restore_config ?? false,
    mode: request.mode ?? 'merge',
    allOrNothing: request.all_or_nothing ?? false,
    staging: request.staging ?? 'all',
    compare: request.compare ?? 'hash',
    ...(request.dry_run && { dryRun: true as const }),
    ...(request.plan_id && { planId: request.plan_id }),
    ...(names && { databases: names }),
  }
}

/** The body of a verify; undefined for an empty one. @throws REQUEST_INVALID with what was expected */
export function parseVerify(backupId: string, body: unknown, named?: string): VerifyRequest {
  const request = read(
    verifySchema,
    body ?? {},
    (why) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`),
  )
  const from = request.target ?? named
  return { backupId, level: request.level ?? 'full', ...(from && { target: from }) }
}

export const pageSchema = z.object({
  limit: z.coerce
    .number({ error: 'must be a number' })
    .int({ error: 'must be a whole number' })
    .min(1, { error: 'must be at least 1' })
    .max(1000, { error: 'must be at most 1000' })
    .default(100)
    .meta({ description: 'at most so many are answered' }),
  before: z
    .string({ error: 'must be the id of an operation' })
    .regex(/^[0-9a-f]{12}$/, { error: 'must be the id of an operation' })
    .optional()
    .meta({ description: 'id of an operation: only older ones' }),
})

export const limitSchema = pageSchema.pick({ limit: true })

/** `?limit` and `?before` of a list of operations. @throws REQUEST_INVALID */
export function parsePage(query: unknown): { limit: number; before?: string } {
  const { limit, before } = read(
    pageSchema,
    { ...(query as object) },
    (why) => new ServiceError('REQUEST_INVALID', why),
  )
  return { limit, ...(before !== undefined && { before }) }
}

const longestWait = 60_000
const waitUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }
const waitError = { error: 'must be a time like 30s, at most 60s' }

export const waitSchema = z.object({
  wait: z
    .string(waitError)
    .regex(/^\d{1,6}(ms|s|m)$/, waitError)
    .optional()
    .meta({ description: 'how long to wait for a change, at most 60s', examples: ['30s'] }),
  since: z
    .string({ error: 'must be the event_id of a status' })
    .optional()
    .meta({ description: '`event_id` of the status that you have; absent: as it is now' }),
})

/** `?wait` and `?since` of a status; no time to wait where none is named. @throws REQUEST_INVALID */
export function parseWait(query: unknown): { waitMs: number; since?: string } {
  const refuse = (why: string) => new ServiceError('REQUEST_INVALID', why)
  const { wait = '0s', since } = read(waitSchema, { ...(query as object) }, refuse)
  const waitMs = Number.parseInt(wait, 10) * (waitUnits[wait.replace(/^\d+/, '')] ?? 0)
  if (waitMs > longestWait) throw refuse(`wait ${waitError.error}`)
  return { waitMs, ...(since !== undefined && { since }) }
}

/** The id in a path. @throws REQUEST_INVALID */
export function parseBackupId(given: string | undefined): string {
  if (given !== undefined && isBackupId(given)) return given
  throw new ServiceError('REQUEST_INVALID', 'Invalid backup ID format')
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

export function read<T extends z.ZodType>(
  schema: T,
  body: unknown,
  refuse: (why: string) => ServiceError,
): z.output<T> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refuse('it must be a JSON object')
  // Go matches keys without regard to case, and of repeated ones takes the last.
  const fields = Object.fromEntries(Object.entries(body).map(([key, value]) => [key.toLowerCase(), value]))
  const parsed = schema.safeParse(fields)
  if (parsed.success) return parsed.data
  throw refuse(parsed.error.issues.map(({ path, message }) => `${String(path[0])} ${message}`).join('; '))
}

function flawOfDatabases(value: unknown): string | null {
  if (!Array.isArray(value)) return 'must be an array of names'
  if (value.length === 0) return 'must name at least one database'
  if (value.length > mostDatabases) return `must not name more than ${mostDatabases} databases`
  const seen = new Set<unknown>()
  for (const name of value) {
    if (typeof name !== 'string') return 'must be an array of names'
    const shown = JSON.stringify(name.slice(0, 80))
    if (!isDatabaseName(name)) return `must be names of databases, not ${shown}`
    if (seen.has(name)) return `must not name ${shown} twice`
    seen.add(name)
  }
  return null
}

function isDatabaseName(name: string): boolean {
  return /^[^/\0.][^/\0]{0,254}$/.test(name) && name !== '_schema' && name !== '_compaction_state'
}

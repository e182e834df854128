import type Router from '@koa/router'
import { z } from 'zod'
import type { PruneRequest, PruneStatus } from '../engine/operation.js'
import type { PrunePlan } from '../engine/prune.js'
import { isEmptyPolicy, type RetentionRules } from '../engine/retention.js'
import { Zone } from '../engine/zone.js'
import { ServiceError } from '../errors.js'
import { body } from './body.js'
import type { Operations } from './operations.js'
import { flag, parseBackupId, read, target } from './requests.js'
import type { State } from './state.js'

const mostKept = 100_000
const count = (description: string, most = mostKept) => {
  const error = `must be a whole number from 0 to ${most}`
  return z.int({ error }).min(0, { error }).max(most, { error }).nullish().meta({ description })
}
const zoneError = 'must be the name of a time zone, like Europe/Berlin'

export const pruneSchema = z
  .object({
    keep_last: count('keep the newest so many'),
    keep_hourly: count('keep the newest backup of each of the last so many hours that have one'),
    keep_daily: count('the same for days'),
    keep_weekly: count('the same for weeks, from Monday on'),
    keep_monthly: count('the same for months'),
    keep_yearly: count('the same for years'),
    within: count('keep what is younger than so many days, seen from the newest backup', 36_500),
    timezone: z
      .string({ error: zoneError })
      .refine(isZone, { error: zoneError })
      .nullish()
      .meta({ description: "where hours, days, weeks begin; default: that of the service's machine" }),
    target,
    dry_run: flag('only say what would be kept and removed; default false'),
  })
  .meta({ examples: [{ keep_daily: 7, keep_weekly: 4, keep_monthly: 12, dry_run: true }] })

/** The body of a prune. @throws REQUEST_INVALID with what was expected, and where nothing says what to keep */
export function parsePrune(given: unknown, timezone: string): PruneRequest & { dryRun: boolean } {
  const request = read(pruneSchema, given ?? {}, (why) => {
    return new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`)
  })
  const policy = {
    last: request.keep_last ?? 0,
    hourly: request.keep_hourly ?? 0,
    daily: request.keep_daily ?? 0,
    weekly: request.keep_weekly ?? 0,
    monthly: request.keep_monthly ?? 0,
    yearly: request.keep_yearly ?? 0,
    within: request.within ?? 0,
    timezone: request.timezone ?? timezone,
  }
  if (isEmptyPolicy(policy)) {
    const fields = 'keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly, within'
    throw new ServiceError('REQUEST_INVALID', `a prune must be told what to keep: at least one of ${fields} above 0`)
  }
  return { policy, dryRun: request.dry_run ?? false, ...(request.target && { target: request.target }) }
}

/** Rules by the names that a request has for them; 0: the rule keeps none. */
export function rulesBody(rules: RetentionRules): Record<string, number> {
  return {
    keep_last: rules.last ?? 0,
    keep_hourly: rules.hourly ?? 0,
    keep_daily: rules.daily ?? 0,
    keep_weekly: rules.weekly ?? 0,
    keep_monthly: rules.monthly ?? 0,
    keep_yearly: rules.yearly ?? 0,
    within: rules.within ?? 0,
  }
}

/** What a dry run answers. */
export function prunePlanBody({ target: name, timezone, keep, remove, warnings }: PrunePlan): Record<string, unknown> {
  return {
    dry_run: true,
    target: name,
    timezone,
    keep: keep.map(({ backup, reasons }) => ({
      backup_id: backup.id,
      created_at: backup.createdAt,
      reasons,
    })),
    remove: remove.map(({ id, createdAt }) => ({ backup_id: id, created_at: createdAt })),
    ...(warnings.length > 0 && { warnings }),
  }
}

/** A prune's own keys in a status. */
export function pruneBody({ timezone, kept, removed, failed, ...counts }: PruneStatus): Record<string, unknown> {
  return {
    timezone,
    kept_backups: counts.keptBackups,
    removed_backups: counts.removedBackups,
    failed_backups: counts.failedBackups,
    kept: kept.map(({ backupId, reasons }) => ({ backup_id: backupId, reasons })),
    removed,
    ...(failed.length > 0 && {
      failed: failed.map(({ backupId, code, message }) => ({ backup_id: backupId, code, message })),
    }),
  }
}

/** Prune, pin and unpin. */
export function routeRetention(router: Router<State>, group: string, operations: Operations): void {
  const pruneRequest = body((why) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`))
  router.post(`${group}/prune`, pruneRequest, async (ctx) => {
    const { dryRun, ...request } = parsePrune(ctx.state.json, operations.timezone)
    if (dryRun) {
      ctx.body = prunePlanBody(await operations.planPrune(request))
      return
    }
    const { operationId, target: name } = await operations.startPrune(request, ctx.state.caller)
    ctx.status = 202
    ctx.body = { message: 'Prune started', operation_id: operationId, status: 'running', target: name }
  })
  router.post(`${group}/:id/pin`, async (ctx) => {
    const id = parseBackupId(ctx.params.id)
    const name = await operations.pin(id, targetIn(ctx.query), ctx.state.caller.name)
    ctx.body = { backup_id: id, message: 'Backup pinned', pinned: true, target: name }
  })
  router.delete(`${group}/:id/pin`, async (ctx) => {
    const id = parseBackupId(ctx.params.id)
    const name = await operations.unpin(id, targetIn(ctx.query))
    ctx.body = { backup_id: id, message: 'Backup unpinned', pinned: false, target: name }
  })
}

function targetIn({ target: name }: Record<string, unknown>): string | undefined {
  return typeof name === 'string' && name !== '' ? name : undefined
}

function isZone(name: string): boolean {
  try {
    new Zone(name)
    return true
  } catch {
    return false
  }
}

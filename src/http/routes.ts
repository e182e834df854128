import Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import { isServiceError, ServiceError } from '../errors.js'
import { body } from './body.js'
import type { Feed } from './feed.js'
import { routeLimits } from './limits.js'
import type { Metrics } from './metrics.js'
import { describeApi } from './openapi.js'
import type { Operations } from './operations.js'
import { showPath } from './path.js'
import { parseBackupId, parseCreate, parsePage, parseRestore, parseVerify, parseWait } from './requests.js'
import { goDuration, listBody, operationBody, planBody, statusBody } from './responses.js'
import { routeRetention } from './retention.js'
import { runBody, type Scheduled, scheduleBody } from './schedule.js'
import type { State } from './state.js'

/** The order in which Arc's router names them in `Allow`. */
const methodOrder = ['GET', 'HEAD', 'POST', 'DELETE', 'PATCH']

/** The table of routes. Arc's router knows neither case nor trailing slashes, and answers HEAD wherever GET works. */
export function createRouter(
  operations: Operations,
  feed: Feed,
  metrics: Metrics,
  schedule: Scheduled | null = null,
): Router<State> {
  const router = new Router<State>({ sensitive: false, strict: false })
  const group = '/api/v1/backup'

  const createBody = body((why) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`))
  router.post(group, createBody, async (ctx) => {
    const request = parseCreate(ctx.state.json)
    const { backupId, operationId, target, includeConfig } = await operations.startBackup(request, ctx.state.caller)
    ctx.status = 202
    ctx.body = {
      backup_id: backupId,
      ...(request.databases && { databases: request.databases }),
      ...(includeConfig !== undefined && { include_config: includeConfig }),
      message: 'Backup started',
      operation_id: operationId,
      status: 'running',
      target,
    }
  })

  router.get(group, async (ctx) => {
    const list = await inArcsWords('Failed to list backups', operations.listBackups())
    ctx.body = listBody(list)
  })

  router.get(`${group}/status`, async (ctx) => {
    const { waitMs, since } = parseWait(ctx.query)
    const status = waitMs > 0 ? await feed.changed(since, waitMs, () => ctx.writable) : operations.status()
    ctx.body = { ...statusBody(status), ...(schedule && { schedule: scheduleBody(schedule.view()) }) }
  })

  router.get(`${group}/schedule`, async (ctx) => {
    const runs = schedule?.runs(parsePage({ limit: ctx.query.limit }).limit) ?? []
    ctx.body = { schedule: schedule && scheduleBody(schedule.view()), runs: runs.map(runBody), count: runs.length }
  })

  router.get(`${group}/events`, async (ctx) => {
    ctx.type = 'text/event-stream'
    // Else nginx keeps events until it has a block of them.
    ctx.set('X-Accel-Buffering', 'no')
    ctx.body = feed.open(ctx.get('Last-Event-ID') || undefined)
  })

  router.get(`${group}/operations`, async (ctx) => {
    const { limit, before } = parsePage(ctx.query)
    const entries = operations.operations(limit, before)
    ctx.body = { operations: entries.map(operationBody), count: entries.length }
  })

  router.get(`${group}/operations/:id`, async (ctx) => {
    ctx.body = operationBody(operations.operation(ctx.params.id ?? ''))
  })

  router.post(`${group}/operations/:id/resume`, async (ctx) => {
    const { backupId, operationId, target } = await operations.resume(ctx.params.id ?? '')
    ctx.status = 202
    ctx.body = { backup_id: backupId, message: 'Resumed', operation_id: operationId, status: 'running', target }
  })

  router.post(`${group}/operations/:id/discard`, async (ctx) => {
    const { id = '' } = ctx.params
    await operations.discard(id)
    ctx.body = { message: 'Discarded', operation_id: id }
  })

  router.get(`${group}/operations/:id/findings`, async (ctx) => {
    const findings = operations.findings(ctx.params.id ?? '')
    ctx.type = 'application/x-ndjson'
    ctx.body = findings
  })

  router.post(`${group}/operations/:id/cancel`, async (ctx) => {
    operations.cancel(ctx.params.id)
    ctx.status = 202
    ctx.body = { message: 'Cancelling', status: 'running' }
  })

  router.post(`${group}/cancel`, async (ctx) => {
    operations.cancel()
    ctx.status = 202
    ctx.body = { message: 'Cancelling', status: 'running' }
  })

  const restoreBody = body(
    (explanation) => new ServiceError('REQUEST_INVALID', 'Invalid request body', { explanation }),
  )
  router.post(`${group}/restore`, restoreBody, async (ctx) => {
    const request = parseRestore(ctx.state.json, targetOf(ctx))
    if (request.dryRun) {
      ctx.body = planBody(await operations.planRestore(request, () => ctx.writable))
      return
    }
    const { backupId, operationId, target } = await operations.startRestore(request, ctx.state.caller)
    ctx.status = 202
    ctx.body = {
      backup_id: backupId,
      ...(request.databases && { databases: request.databases }),
      message: 'Restore started',
      mode: request.mode,
      operation_id: operationId,
      status: 'running',
      target,
    }
  })

  router.post(`${group}/:id/verify`, createBody, async (ctx) => {
    const request = parseVerify(parseBackupId(ctx.params.id), ctx.state.json, targetOf(ctx))
    const { backupId, operationId, target } = await operations.startVerify(request, ctx.state.caller)
    ctx.status = 202
    ctx.body = {
      backup_id: backupId,
      level: request.level,
      message: 'Verify started',
      operation_id: operationId,
      status: 'running',
      target,
    }
  })

  routeRetention(router, group, operations)
  routeLimits(router, group, operations)

  router.get(`${group}/:id`, async (ctx) => {
    ctx.body = await operations.showBackup(parseBackupId(ctx.params.id), targetOf(ctx)).catch(hideDamaged)
  })

  router.delete(`${group}/:id`, async (ctx) => {
    const id = parseBackupId(ctx.params.id)
    await inArcsWords('Failed to delete backup', operations.deleteBackup(id, ctx.state.caller, targetOf(ctx)))
    ctx.body = { backup_id: id, message: 'Backup deleted' }
  })

  router.get('/health', async (ctx) => {
    const uptime = process.uptime()
    ctx.body = { status: 'ok', time: timestamp(), uptime: goDuration(uptime), uptime_sec: uptime }
  })

  // Open to everyone, as Arc's own is and as /health: a scraper has no token of Arc's, and nothing in it is a secret.
  router.get('/metrics', async (ctx) => {
    ctx.set('Content-Type', metrics.contentType)
    ctx.body = await metrics.scrape()
  })

  let description: ReturnType<typeof describeApi> | undefined
  router.get('/openapi.json', async (ctx) => {
    description ??= describeApi()
    ctx.body = description
  })

  router.get('/ready', async (ctx) => {
    const ready = operations.ready()
    ctx.status = ready ? 200 : 503
    ctx.body = ready
      ? { status: 'ready', time: timestamp(), uptime_sec: process.uptime() }
      : { reason: 'shutting down', status: 'not_ready', time: timestamp() }
  })
  return router
}

/** For what no route takes: 405 where another method would do, else 404. */
export function refuseUnrouted(router: Router<State>): Middleware<State> {
  return (ctx) => {
    const methods = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods)
    const allowed = methodOrder.filter((method) => methods.includes(method))
    if (allowed.length === 0) throw new ServiceError('NOT_FOUND', `Cannot ${ctx.method} ${showPath(ctx.path)}`)
    ctx.set('Allow', allowed.join(', '))
    throw new ServiceError('METHOD_NOT_ALLOWED', 'Method Not Allowed')
  }
}

/** Arc has one sentence for whatever went wrong below; ours goes beside it. */
async function inArcsWords<T>(sentence: string, action: Promise<T>): Promise<T> {
  try {
    return await action
  } catch (error) {
    if (!isServiceError(error) || error.status < 500 || ['INTERNAL', 'UNAVAILABLE'].includes(error.code)) throw error
    throw new ServiceError(error.code, sentence, { explanation: error.message, cause: error })
  }
}

/** A backup whose manifest can't be trusted is none, for Arc and its clients; why not is said beside it. */
function hideDamaged(error: unknown): never {
  if (!isServiceError(error, 'MANIFEST_INVALID', 'INTEGRITY')) throw error
  throw new ServiceError('NOT_FOUND', 'Backup not found', { explanation: error.message, cause: error })
}

/** `?target=` says which of several targets is meant. */
function targetOf({ query }: Context): string | undefined {
  const { target } = query
  return typeof target === 'string' && target !== '' ? target : undefined
}

function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z')
}

import Router from '@koa/router'
import { ServiceError } from '../errors.js'
import { isBackupId } from '../format/backup-id.js'
import { body } from './body.js'
import type { Operations } from './operations.js'
import { parseCreate, parseRestore } from './requests.js'
import { goDuration, statusBody } from './responses.js'
import type { State } from './state.js'

/** The table of routes. Arc's router knows neither case nor trailing slashes, and answers HEAD wherever GET works. */
export function createRouter(operations: Operations): Router<State> {
  const router = new Router<State>({ sensitive: false, strict: false })
  const group = '/api/v1/backup'

  const createBody = body((why) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`))
  router.post(group, createBody, async (ctx) => {
    const request = parseCreate(ctx.request.body)
    const { backupId, operationId } = await operations.startBackup(request, ctx.state.caller)
    ctx.status = 202
    ctx.body = {
      backup_id: backupId,
      ...(request.databases && { databases: request.databases }),
      message: 'Backup started',
      operation_id: operationId,
      status: 'running',
    }
  })

  router.get(group, async (ctx) => {
    const { backups, warnings } = await operations.listBackups()
    ctx.body = { backups, count: backups.length, ...(warnings.length > 0 && { warnings }) }
  })

  router.get(`${group}/status`, async (ctx) => {
    ctx.body = statusBody(operations.status())
  })

  router.post(`${group}/cancel`, async (ctx) => {
    operations.cancel()
    ctx.status = 202
    ctx.body = { message: 'Cancelling', status: 'running' }
  })

  const restoreBody = body((expected) => new ServiceError('REQUEST_INVALID', 'Invalid request body', { expected }))
  router.post(`${group}/restore`, restoreBody, async (ctx) => {
    const request = parseRestore(ctx.request.body)
    const { backupId, operationId } = await operations.startRestore(request, ctx.state.caller)
    ctx.status = 202
    ctx.body = {
      backup_id: backupId,
      ...(request.databases && { databases: request.databases }),
      message: 'Restore started',
      mode: request.mode,
      operation_id: operationId,
      status: 'running',
    }
  })

  router.get(`${group}/:id`, async (ctx) => {
    ctx.body = await operations.showBackup(backupId(ctx.params.id))
  })

  router.delete(`${group}/:id`, async (ctx) => {
    const id = backupId(ctx.params.id)
    await operations.deleteBackup(id)
    ctx.body = { backup_id: id, message: 'Backup deleted' }
  })

  router.get('/health', async (ctx) => {
    const uptime = process.uptime()
    ctx.body = { status: 'ok', time: timestamp(), uptime: goDuration(uptime), uptime_sec: uptime }
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

function backupId(given: string | undefined): string {
  if (given !== undefined && isBackupId(given)) return given
  throw new ServiceError('REQUEST_INVALID', 'Invalid backup ID format')
}

function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z')
}

import type { Logger } from 'pino'
import type { Config } from '../config/config.js'
import { ServiceError } from '../errors.js'
import { limitsBody } from '../http/limits.js'
import { parseBackupId, parseCreate, parseRestore, parseVerify } from '../http/requests.js'
import { listBody, operationBody, planBody, statusBody } from '../http/responses.js'
import { parsePrune, prunePlanBody } from '../http/retention.js'
import { scheduleBody } from '../http/schedule.js'
import { openCoordinator, openReader, openVerifier } from '../service.js'
import type { Backups, Body } from './backups.js'

const caller = { name: 'command line', credential: null }

/**
 * The files themselves, without a service. Reading works beside a running service; what changes something needs `state_path` for itself.
 *
 * @throws BUSY when a service uses it
 */
export function localBackups(config: Config, log: Logger): Backups {
  let opened: ReturnType<typeof openCoordinator> | null = null
  const coordinator = (): ReturnType<typeof openCoordinator> => {
    opened ??= openCoordinator(config, log)
    return opened
  }
  let verifying: ReturnType<typeof openVerifier> | null = null
  const verifier = (): ReturnType<typeof openVerifier> => {
    verifying ??= openVerifier(config, log)
    return verifying
  }
  const reader = openReader(config, log)
  return {
    startBackup: async (request) => (await coordinator()).startBackup(parseCreate(request), caller),
    startRestore: async (request) =>
      (await coordinator()).startRestore(parseRestore({ ...request, confirm: true }), caller),
    planRestore: async (request) =>
      planBody(await (await coordinator()).planRestore(parseRestore({ ...request, dry_run: true }))),
    startVerify: async (id, request) => (await verifier()).start(parseVerify(parseBackupId(id), request), caller),
    deleteBackup: async (id, target) => (await coordinator()).deleteBackup(parseBackupId(id), caller, target),
    startPrune: async (request) => {
      const engine = await coordinator()
      const { dryRun: _dryRun, ...parsed } = parsePrune(request, engine.timezone)
      return engine.startPrune(parsed, caller)
    },
    planPrune: async (request) => prunePlanBody(await reader.planPrune(parsePrune(request, reader.timezone))),
    pin: async (id, target) => {
      const place = await (await coordinator()).pin(parseBackupId(id), target, caller.name)
      return { backup_id: id, message: 'Backup pinned', pinned: true, target: place }
    },
    unpin: async (id, target) => {
      const place = await (await coordinator()).unpin(parseBackupId(id), target)
      return { backup_id: id, message: 'Backup unpinned', pinned: false, target: place }
    },
    list: async () => listBody(await reader.listBackups()),
    show: async (id, target) => reader.showBackup(parseBackupId(id), target),
    status: async (): Promise<Body> => {
      if (opened) return statusBody((await opened).status())
      const schedule = reader.schedule()
      return { ...statusBody(reader.lastOperation()), ...(schedule && { schedule: scheduleBody(schedule) }) }
    },
    operation: async (id) => operationBody((await verifier()).operation(id)),
    findingsOf: (id) => `${config.backup.statePath}/findings/${id}.jsonl`,
    cancel: async (id) => {
      if (id !== undefined) (await verifier()).cancel(id)
      else if (opened) (await opened).cancel()
    },
    resume: async (operation) => (await coordinator()).resume(operation),
    discard: async (operation) => (await coordinator()).discard(operation),
    limits: async (change) => {
      if (change) {
        const how = 'set backup.bandwidth_limit, or name a running service with --url'
        throw new ServiceError('REQUEST_INVALID', `here nothing runs whose limits could be changed: ${how}`)
      }
      const { bandwidthLimit: bandwidth, memoryLimit: memory, priority, workers } = config.backup
      return limitsBody({ bandwidth, memory, priority, workers })
    },
    sweep: async (dryRun) => ({ swept: await (await coordinator()).sweep(dryRun) }),
    undo: async (operation): Promise<Body> => ({ ...(await (await coordinator()).undo(operation)) }),
    close: async () => {
      // Why it could not be opened has been said where it was needed.
      await (await opened?.catch(() => null))?.close()
      await (await verifying?.catch(() => null))?.close()
      await reader.close()
    },
  }
}

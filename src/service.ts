import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Authenticator, openAuthenticator } from './auth/authenticator.js'
import type { Config } from './config/config.js'
import { parseCron } from './config/cron.js'
import { isLoopback } from './config/listen.js'
import { checkConfigText } from './config/load.js'
import { describeStore } from './config/overlap.js'
import { reveal } from './config/reveal.js'
import { parseConfig } from './config/source.js'
import type { Announcer } from './engine/announcer.js'
import { Coordinator, type CoordinatorOptions } from './engine/coordinator.js'
import { lastOperation } from './engine/journal.js'
import type { PruneRequest } from './engine/operation.js'
import { planPrune } from './engine/prune.js'
import { openStandaloneVerifier } from './engine/standalone-verifier.js'
import { Targets } from './engine/targets.js'
import { readVerdicts } from './engine/verdicts.js'
import { localZone } from './engine/zone.js'
import { ServiceError, systemCode } from './errors.js'
import { toClientJson } from './format/manifest.js'
import { Feed } from './http/feed.js'
import type { Metrics } from './http/metrics.js'
import { operationBody } from './http/responses.js'
import { createServer } from './http/server.js'
import { Notifier } from './notify/notifier.js'
import { systemClock } from './schedule/clock.js'
import { Runs, retireRuns } from './schedule/runs.js'
import { Scheduler, type ScheduleView, viewOf } from './schedule/scheduler.js'
import { version } from './version.js'

/** Files in flight in one thread at most, where an end is not on this machine and nothing is set: how many there are then is found out (`engine/flights.ts`). */
const mostTransfers = 64

/** How long answers that are under way may take when all else has ended, in ms. */
const lastWords = 1000

/** A service that listens. */
export interface Service {
  /** Base URL with the port it really has. */
  readonly url: string
  readonly coordinator: Coordinator
  /** Ends the running operation as interrupted (a restore in its switch finishes it first), then the listener and the threads. */
  close(): Promise<void>
}

/** The engine alone, as the command line uses it. @throws BUSY when another process uses `state_path`. */
export async function openCoordinator(config: Config, log: Logger): Promise<Coordinator> {
  return Coordinator.open(optionsOf(config, log))
}

function optionsOf(config: Config, log: Logger): CoordinatorOptions {
  const { backup, storage } = config
  return {
    settings: {
      version: `arc-backup/${version}`,
      statePath: backup.statePath,
      storagePath: storage.localPath,
      transfers: backup.transfers ?? mostTransfers,
      includeConfig: backup.includeConfig,
      operationTimeoutMs: backup.operationTimeoutMs,
      onInterrupt: backup.onInterrupt,
      incremental: backup.incremental,
      rehashAfterMs: backup.rehashAfterMs,
      keepReplacedMs: backup.keepReplacedMs,
      lockTtlMs: backup.lockTtlMs,
      maxSkipped: backup.maxSkipped,
      settlePasses: backup.settlePasses,
      excluded: config.excluded,
      uncovered: config.uncovered,
      databases: config.databases,
      configFile: config.file,
      parseConfiguration: (text) => void parseConfig(text, 'arc.toml'),
      checkConfiguration: checkConfigText,
    },
    storage: reveal(storage.store),
    targets: reveal(backup.targets),
    defaultTarget: backup.defaultTarget.name,
    workers: backup.workers,
    limits: { memory: backup.memoryLimit, bandwidth: backup.bandwidthLimit, priority: backup.priority },
    log,
    announcer: announcerOf(config, log),
  }
}

function announcerOf({ backup }: Config, log: Logger): Announcer {
  const notifier = new Notifier(reveal(backup.announce), log)
  return { tell: (operation) => notifier.tell(operationBody(operation)), close: () => notifier.close() }
}

/** What runs by itself, not started yet; null where nothing does. The state must be this process's own. */
export function openScheduler(
  { backup: { schedule, statePath } }: Config,
  engine: Coordinator,
  log: Logger,
  clock = systemClock,
): Scheduler | null {
  if (!schedule) {
    retireRuns(statePath, clock.now())
    return null
  }
  const nextDue = parseCron(schedule.cron, schedule.timezone) ?? (() => null)
  return new Scheduler({ schedule, nextDue, engine, runs: Runs.open(statePath), clock, log })
}

/** The same beside a running service: what is configured, and what is on record. */
function readSchedule({ backup: { schedule, statePath } }: Config): ScheduleView | null {
  if (!schedule) return null
  const nextDue = parseCron(schedule.cron, schedule.timezone)
  const runs = Runs.read(statePath)
  try {
    return viewOf(schedule, nextDue?.(Date.now()) ?? null, runs)
  } finally {
    runs?.close()
  }
}

/** What can be read beside a running service: backups, and how the last operation on record went. */
export function openReader(config: Config, log: Logger) {
  const targets = Targets.open(reveal(config.backup.targets), config.backup.defaultTarget.name)
  return {
    listBackups: async () => {
      const verdicts = readVerdicts(config.backup.statePath)
      try {
        return await (await targets).list(log, verdicts)
      } finally {
        verdicts.close()
      }
    },
    showBackup: async (id: string, from?: string) => toClientJson((await (await targets).find(id, from)).manifest),
    planPrune: async (request: PruneRequest) => {
      const verdicts = readVerdicts(config.backup.statePath)
      try {
        return await planPrune((await targets).get(request.target), request.policy, verdicts, log)
      } finally {
        verdicts.close()
      }
    },
    timezone: localZone(),
    close: async () => (await targets).close(),
    lastOperation: () => lastOperation(config.backup.statePath),
    schedule: () => readSchedule(config),
  }
}

/** A verify beside a running service, and without one: it reads, and needs nothing for itself but a record of what it found. */
export async function openVerifier(config: Config, log: Logger) {
  return openStandaloneVerifier(optionsOf(config, log))
}

/** Everything wired together and listening. */
export async function startService(config: Config, log: Logger): Promise<Service> {
  if (!config.backup.enabled) {
    throw new ServiceError(
      'CONFIG_INVALID',
      'backup.enabled is false: there is nothing to serve (set ARC_BACKUP_ENABLED=false for Arc only)',
    )
  }
  for (const warning of config.warnings) log.warn(warning)
  const coordinator = await openCoordinator(config, log)
  let authenticator: Authenticator | null = null
  let metrics: Metrics | null = null
  let scheduler: Scheduler | null = null
  try {
    scheduler = openScheduler(config, coordinator, log)
    authenticator = config.auth.enabled
      ? openAuthenticator({
          dbPath: config.auth.dbPath,
          cacheTtlMs: config.auth.cacheTtlMs,
          maxCacheSize: config.auth.maxCacheSize,
          bootstrapToken: config.auth.bootstrapToken?.reveal() ?? null,
        })
      : null
    const feed = new Feed(coordinator)
    // Koa, its parser of bodies and the metrics are half of what there is to load, and no command on the spot needs them.
    const [{ createApp }, { Metrics }] = await Promise.all([import('./http/app.js'), import('./http/metrics.js')])
    metrics = new Metrics(coordinator, scheduler)
    const isLocal = isLoopback(config.server.host)
    const app = createApp({ operations: coordinator, schedule: scheduler, feed, metrics, authenticator, isLocal, log })
    const { tls, readTimeoutMs, idleTimeoutMs } = config.server
    const server = createServer(app, { tls, readTimeoutMs, idleTimeoutMs })
    await listen(server, config)
    const { port } = server.address() as AddressInfo
    const host = config.server.host === '' ? '127.0.0.1' : config.server.host
    const url = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
    log.info(
      {
        url,
        storage: describeStore(config.storage.store),
        targets: config.backup.targets.map(({ name, store }) => `${name}: ${describeStore(store)}`),
        config: config.file,
      },
      'listening',
    )
    const recovered = coordinator
      .recover()
      .catch((error: unknown) => log.error({ err: error }, 'cannot take up what was interrupted'))
    scheduler?.start(recovered)
    return {
      url,
      coordinator,
      close: () => close(server, coordinator, scheduler, feed, authenticator).finally(() => metrics?.close()),
    }
  } catch (error) {
    authenticator?.close()
    metrics?.close()
    await scheduler?.close()
    await coordinator.close()
    throw error
  }
}

async function listen(server: Server, config: Config): Promise<void> {
  const { host, port, portKey } = config.server
  server.listen({ port, ...(host !== '' && { host }) })
  try {
    await once(server, 'listening')
  } catch (error) {
    const why =
      systemCode(error) === 'EADDRINUSE' ? 'the port is in use' : error instanceof Error ? error.message : String(error)
    throw new ServiceError(
      'CONFIG_INVALID',
      `cannot listen on ${host === '' ? '*' : host}:${port}: ${why}; set ${portKey === 'backup.port' ? '' : 'backup.port, or '}${portKey}`,
      {
        cause: error,
      },
    )
  }
}

async function close(
  server: Server,
  coordinator: Coordinator,
  scheduler: Scheduler | null,
  feed: Feed,
  authenticator: Authenticator | null,
): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  feed.endWaits()
  await nextTurn()
  // Before what it began is interrupted: its run goes on after the next start.
  await scheduler?.close()
  // Who looks on learns how what ran has ended.
  await coordinator.close(() => feed.close())
  for (const end = performance.now() + lastWords; performance.now() < end; ) {
    server.closeIdleConnections()
    if (await Promise.race([closed.then(() => true), sleep(10)])) break
  }
  server.closeAllConnections()
  await closed
  authenticator?.close()
}

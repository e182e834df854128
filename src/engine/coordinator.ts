import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Failure, isServiceError, ServiceError, toFailure } from '../errors.js'
import { isBackupId, newBackupId } from '../format/backup-id.js'
import { toClientJson } from '../format/manifest.js'
import { openStore, type StoreConfig } from '../stores/open.js'
import type { Store } from '../stores/store.js'
import { runBackup } from './backup.js'
import { deleteBackup } from './delete.js'
import { type InstanceLock, lockState } from './instance-lock.js'
import { Inventory } from './inventory.js'
import { Journal, type JournalEntry } from './journal.js'
import { knownDatabases } from './list-source.js'
import type { BackupRequest, Caller, OperationKind, OperationStatus, Outcome, RestoreRequest } from './operation.js'
import { openPool, type Pool } from './pool.js'
import { Progress, type StopReason } from './progress.js'
import { runRestore } from './restore.js'
import { type EngineSettings, type Run, storeNames, targetStoreName } from './run.js'
import { type BackupList, type Target, type TargetConfig, Targets } from './targets.js'
import { Tracker } from './tracker.js'
import { abortUploads } from './uploads.js'

/** How long the credential that began an operation may read its status after its end, in ms: a restore may have removed its token. */
const statusGrace = 15 * 60 * 1000
/** How long a caller waits for a backup's files to be removed (ms): Arc's own limit. */
const deletePatience = 30_000

export interface CoordinatorOptions {
  readonly settings: EngineSettings
  readonly storage: StoreConfig
  readonly targets: readonly TargetConfig[]
  readonly defaultTarget: string
  /** Threads that move files. */
  readonly workers: number
  readonly log: Logger
}

/** What a client learns at once of an operation that goes on under the coordinator. */
export interface Started {
  readonly backupId: string
  readonly operationId: string
  readonly target: string
  /** Only where the request left it open and the default is not the usual one. */
  readonly includeConfig?: boolean
}

interface Slot {
  readonly kind: OperationKind | 'delete'
  /** Resolves when the slot is free again; never rejects. */
  readonly ended: Promise<void>
  readonly free: () => void
  current: Current | null
}

interface Current {
  readonly id: string
  readonly caller: Caller
  readonly tracker: Tracker
  readonly progress: Progress
  endedAt: number | null
}

/** Takes the slot, runs one operation at a time, and knows how the last one went. */
export class Coordinator {
  readonly #options: CoordinatorOptions
  readonly #lock: InstanceLock
  readonly #journal: Journal
  readonly #storage: Store
  readonly #targets: Targets
  readonly #pool: Pool
  #slot: Slot | null = null
  #last: Current | null = null
  #closing = false

  private constructor(options: CoordinatorOptions, lock: InstanceLock, storage: Store, targets: Targets) {
    this.#options = options
    this.#lock = lock
    this.#journal = new Journal(`${options.settings.statePath}/journal.db`)
    this.#journal.closeAbandoned(new Date().toISOString())
    this.#storage = storage
    this.#targets = targets
    const state: StoreConfig = { kind: 'local', root: options.settings.statePath }
    const places = options.targets.map(({ name, store }) => [targetStoreName(name), store] as const)
    this.#pool = openPool({
      workers: options.workers,
      stores: { [storeNames.storage]: options.storage, [storeNames.state]: state, ...Object.fromEntries(places) },
    })
  }

  /** @throws BUSY when another service uses `state_path`. */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const lock = lockState(options.settings.statePath)
    try {
      const targets = await Targets.open(options.targets, options.defaultTarget)
      return new Coordinator(options, lock, await openStore(options.storage), targets)
    } catch (error) {
      lock.release()
      throw error
    }
  }

  ready(): boolean {
    return !this.#closing
  }

  /** Starts a backup. @throws BUSY, REQUEST_INVALID with `detail.unknownDatabases`. */
  async startBackup(request: BackupRequest, caller: Caller): Promise<Started> {
    const target = this.#targets.get(request.target)
    const { includeConfig: usual } = this.#options.settings
    const includeConfig = request.includeConfig ?? (usual && request.databases === undefined)
    const started = await this.#take('backup', async () => {
      if (request.databases) {
        refuseUnknown(request.databases, await knownDatabases(this.#storage, this.#options.settings))
      }
      const resolved = { ...request, includeConfig }
      const backupId = newBackupId(new Date())
      return { backupId, target, request: resolved, caller, action: (run) => runBackup(run, resolved) }
    })
    return { ...started, ...(request.includeConfig === undefined && !usual && { includeConfig }) }
  }

  /** Starts a restore. @throws BUSY, NOT_FOUND, MANIFEST_INVALID, REQUEST_INVALID with `detail.unknownDatabases`. */
  async startRestore(request: RestoreRequest, caller: Caller): Promise<Started> {
    return this.#take('restore', async () => {
      const { target, manifest } = await this.#targets.find(request.backupId, request.target)
      if (request.databases) {
        refuseUnknown(
          request.databases,
          manifest.databases.map(({ name }) => name),
        )
      }
      return { backupId: request.backupId, target, request, caller, action: (run) => runRestore(run, request) }
    })
  }

  /**
   * Resolves when the backup and its files are gone; where those are so many that the caller would give up before, once it is gone for good from every list. The
   * slot is taken until the last file is gone. @throws BUSY, NOT_FOUND.
   */
  async deleteBackup(id: string, from?: string): Promise<void> {
    const slot = this.#enter('delete')
    let removed = Promise.resolve()
    try {
      const target = await this.#holderOf(id, from)
      removed = (await deleteBackup(target, this.#pool, id)).removed.catch((error: unknown) => {
        this.#options.log.error({ backup_id: id, err: error }, 'files of a deleted backup could not be removed')
      })
    } finally {
      void removed.then(() => this.#leave(slot))
    }
    const patience = new AbortController()
    const late = sleep(deletePatience, undefined, { signal: patience.signal }).catch(() => {})
    await Promise.race([removed, late])
    patience.abort()
  }

  async listBackups(): Promise<BackupList> {
    return this.#targets.list(this.#options.log)
  }

  /** The manifest of one backup. @throws NOT_FOUND */
  async showBackup(id: string, from?: string): Promise<Record<string, unknown>> {
    return toClientJson((await this.#targets.find(id, from)).manifest)
  }

  /** The operation that runs, or the last one on record; null before the first. */
  status(): OperationStatus | null {
    return this.#last?.tracker.snapshot() ?? this.#journal.operations(1)[0]?.status ?? null
  }

  /** Operations on record, newest first; those older than the operation `before`, where it is named. @throws NOT_FOUND where that one is unknown */
  operations(limit: number, before?: string): JournalEntry[] {
    if (before !== undefined) this.operation(before)
    return this.#journal.operations(limit, before).map((entry) => this.#live(entry))
  }

  /** @throws NOT_FOUND */
  operation(id: string): JournalEntry {
    const entry = this.#journal.operation(id)
    if (!entry) throw new ServiceError('NOT_FOUND', 'Operation not found')
    return this.#live(entry)
  }

  /** What runs changes too often to be written down each time. */
  #live(entry: JournalEntry): JournalEntry {
    const last = this.#last
    return last?.id === entry.status.operationId ? { ...entry, status: last.tracker.snapshot() } : entry
  }

  /** Has this credential (SHA-256, hex) begun the current operation, or one that ended less than 15 minutes ago? */
  mayReadStatus(credential: string): boolean {
    const last = this.#last
    if (last?.caller.credential !== credential) return false
    return last.endedAt === null || Date.now() - last.endedAt < statusGrace
  }

  /** Asks the running operation to end. A restore in its switch finishes it first. */
  stop(reason: StopReason): void {
    this.#slot?.current?.progress.stop(reason)
  }

  /** Stops the running operation at a client's wish. @throws NOT_FOUND when nothing runs, BUSY when it can't be stopped any more. */
  cancel(): void {
    const current = this.#slot?.current
    if (!current) throw new ServiceError('NOT_FOUND', 'No operation is running')
    if (current.tracker.switching) {
      throw new ServiceError('BUSY', 'Too late to cancel: the restored files are being put in place', {
        operation: 'restore',
      })
    }
    current.progress.stop('CANCELLED')
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#slot) await this.#slot.ended
  }

  /** Ends what runs as interrupted, then the threads. */
  async close(): Promise<void> {
    this.#closing = true
    this.stop('INTERRUPTED')
    await this.idle()
    await this.#pool.close()
    await Promise.all([this.#storage.close(), this.#targets.close()])
    this.#journal.close()
    this.#lock.release()
  }

  /** Nobody else gets in from the first line on: of a hundred requests at once one passes. */
  #enter(kind: Slot['kind']): Slot {
    if (this.#closing) throw new ServiceError('UNAVAILABLE', 'the service is shutting down')
    if (this.#slot) {
      throw new ServiceError('BUSY', 'A backup or restore operation is already in progress', {
        operation: this.#slot.kind,
      })
    }
    let free = (): void => {}
    const ended = new Promise<void>((resolve) => {
      free = resolve
    })
    const slot: Slot = { kind, ended, free, current: null }
    this.#slot = slot
    return slot
  }

  #leave(slot: Slot): void {
    this.#slot = null
    slot.free()
  }

  async #take(kind: OperationKind, plan: () => Promise<Plan>): Promise<Started> {
    const slot = this.#enter(kind)
    let started: Started & { ended: Promise<void> }
    try {
      started = await this.#start(kind, slot, await plan())
    } catch (error) {
      this.#leave(slot)
      throw error
    }
    void started.ended.then(() => this.#leave(slot))
    const { ended: _, ...answer } = started
    return answer
  }

  async #start(kind: OperationKind, slot: Slot, plan: Plan): Promise<Started & { ended: Promise<void> }> {
    const { settings, log } = this.#options
    const id = randomBytes(6).toString('hex')
    const scratchFolder = `operations/${id}`
    const scratch: StoreConfig = { kind: 'local', root: `${settings.statePath}/${scratchFolder}` }
    await mkdir(scratch.root, { recursive: true, mode: 0o700 })
    const progress = new Progress()
    const identity = {
      operation: kind,
      operationId: id,
      backupId: plan.backupId,
      target: plan.target.name,
      databases: plan.request.databases ?? null,
    }
    const tracker = new Tracker(identity, progress)
    const run: Run = {
      id,
      backupId: plan.backupId,
      startedAt: new Date(tracker.snapshot().startedAt),
      settings,
      storage: this.#storage,
      target: plan.target.store,
      targetStore: targetStoreName(plan.target.name),
      uploads: `${scratch.root}/uploads.jsonl`,
      scratch: await openStore(scratch),
      scratchFolder,
      pool: this.#pool,
      progress,
      tracker,
      inventory: new Inventory(`${scratch.root}/inventory.db`),
      journal: this.#journal,
      log: log.child({ operation: kind, operation_id: id, backup_id: plan.backupId }),
    }
    this.#journal.begin({ status: tracker.snapshot(), request: { ...plan.request }, caller: plan.caller.name })
    const current: Current = { id, caller: plan.caller, tracker, progress, endedAt: null }
    slot.current = current
    if (this.#closing) progress.stop('INTERRUPTED')
    this.#last = current
    run.log.info({ caller: plan.caller.name }, `${kind} started`)
    const ended = this.#execute(run, current, plan.action)
    return { backupId: plan.backupId, operationId: id, target: plan.target.name, ended }
  }

  /** Never rejects: what went wrong is in the status, the journal and the log. */
  async #execute(run: Run, current: Current, action: Plan['action']): Promise<void> {
    const timeout = setTimeout(() => run.progress.stop('TIMEOUT'), run.settings.operationTimeoutMs)
    let outcome: Outcome
    let failure: Failure | null = null
    try {
      outcome = await action(run)
    } catch (error) {
      failure = toFailure(error)
      outcome = outcomeOf(failure)
      run.log.error({ err: error }, 'operation failed')
      await this.#abortUploads(run)
    } finally {
      clearTimeout(timeout)
    }
    try {
      run.inventory.close()
      await rm(run.scratch.url, { recursive: true, force: true })
    } catch (error) {
      run.log.warn({ err: error }, `cannot remove ${run.scratch.url}`)
    }
    run.tracker.end(outcome, failure)
    current.endedAt = Date.now()
    const status = run.tracker.snapshot()
    try {
      this.#journal.end(status)
    } catch (error) {
      run.log.error({ err: error }, 'the end of the operation could not be put on record')
    }
    for (const warning of status.warnings) run.log.warn(warning)
    run.log.info(
      {
        outcome,
        files: status.processedFiles,
        bytes: status.processedBytes,
        skipped: status.skippedFiles,
        phase_ms: status.phaseMs,
      },
      `${status.operation} ended`,
    )
  }

  async #abortUploads(run: Run): Promise<void> {
    try {
      await abortUploads(run.uploads, (name) => (name === storeNames.storage ? run.storage : run.target))
    } catch (error) {
      run.log.error({ err: error }, 'uploads in parts are left over')
    }
  }

  async #holderOf(id: string, from: string | undefined): Promise<Target> {
    try {
      return (await this.#targets.find(id, from)).target
    } catch (error) {
      // A damaged manifest is one more reason to delete the backup.
      if (isBackupId(id) && isServiceError(error, 'MANIFEST_INVALID', 'INTEGRITY')) {
        return this.#targets.get(from ?? (error.detail.target as string | undefined))
      }
      throw error
    }
  }
}

interface Plan {
  readonly backupId: string
  readonly target: Target
  readonly request: BackupRequest | RestoreRequest
  readonly caller: Caller
  readonly action: (run: Run) => Promise<Outcome>
}

function refuseUnknown(wanted: readonly string[], known: readonly string[]): void {
  const unknownDatabases = wanted.filter((name) => !known.includes(name))
  if (unknownDatabases.length === 0) return
  throw new ServiceError('REQUEST_INVALID', `unknown databases: ${unknownDatabases.join(', ')}`, { unknownDatabases })
}

function outcomeOf(failure: Failure): Outcome {
  if (failure.code === 'CANCELLED') return 'cancelled'
  return failure.code === 'INTERRUPTED' ? 'interrupted' : 'failed'
}

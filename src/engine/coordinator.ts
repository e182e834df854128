import { rmSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { isServiceError, ServiceError, toFailure } from '../errors.js'
import { toClientJson } from '../format/manifest.js'
import type { Marker } from '../format/marker.js'
import { StoreMeters } from '../stores/meters.js'
import { openStore, type StoreConfig } from '../stores/open.js'
import type { Store } from '../stores/store.js'
import { type Announcer, announceTo } from './announcer.js'
import { deleteBackup } from './delete.js'
import { DeleteRecord } from './delete-record.js'
import { discardOperation } from './discard.js'
import { type Execution, execute, type Plan, type Surroundings } from './execution.js'
import { type InstanceLock, lockState } from './instance-lock.js'
import { type Interrupted, Journal, type JournalEntry } from './journal.js'
import { type LimitSettings, type LimitStatus, type Limits, limitsOf } from './limits.js'
import { knownDatabases } from './list-source.js'
import type { Measures, TargetSpace } from './measures.js'
import type {
  BackupRequest,
  Caller,
  OperationKind,
  OperationStatus,
  PruneRequest,
  RestoreRequest,
  VerifyRequest,
} from './operation.js'
import { isPinned, removePin, writePin } from './pins.js'
import { PlaceLocks } from './place-locks.js'
import { newOperationId, planAgain, planBackup } from './plan.js'
import { Planner, refuseUnknown } from './planner.js'
import { openPool, type Pool } from './pool.js'
import type { StopReason } from './progress.js'
import { type PrunePlan, planPrune, runPrune } from './prune.js'
import type { RestorePlan } from './restore-plan.js'
import { type EngineSettings, storeNames, targetStoreName } from './run.js'
import { Slots } from './slot.js'
import { stateFailure } from './state-failure.js'
import { type Swept, sweep } from './sweep.js'
import { type BackupList, type TargetConfig, Targets } from './targets.js'
import { type Undone, undo } from './undo.js'
import { Verdicts } from './verdicts.js'
import { Verifier } from './verifier.js'
import { localZone } from './zone.js'

/** How long the credential that began an operation may read its status after its end, in ms: a restore may have removed its token. */
const statusGrace = 15 * 60 * 1000
/** How long a caller waits for a backup's files to be removed (ms): Arc's own limit. */
const deletePatience = 30_000
/** How often what was interrupted tries to get in where somebody else writes, in ms. */
const busyPause = 2000

export interface CoordinatorOptions {
  readonly settings: EngineSettings
  readonly storage: StoreConfig
  readonly targets: readonly TargetConfig[]
  readonly defaultTarget: string
  /** Threads that move files. */
  readonly workers: number
  readonly limits: LimitSettings
  readonly log: Logger
  readonly announcer?: Announcer
}

/** How soon, and how often at least, what could not be removed is tried again, in ms. */
const sweepPause = 5_000
const longestSweepPause = 600_000

/** What a client learns at once of an operation that goes on under the coordinator. */
export interface Started {
  readonly backupId: string
  readonly operationId: string
  readonly target: string
  /** Only where the request left it open and the default is not the usual one. */
  readonly includeConfig?: boolean
}

/** Takes the slot, runs one operation at a time, and knows how the last one went. */
export class Coordinator {
  readonly #options: CoordinatorOptions
  readonly #lock: InstanceLock
  readonly #journal: Journal
  readonly #storage: Store
  readonly #targets: Targets
  readonly #pool: Pool
  readonly #around: Surroundings
  readonly #verdicts: Verdicts
  readonly #verifier: Verifier
  readonly #planner: Planner
  readonly #slots = new Slots()
  readonly #meters: StoreMeters
  readonly #limits: Limits
  readonly #ends = new Set<(status: OperationStatus) => void>()
  /** The backup that is on its way out: too late to pin it. */
  #removing: string | null = null
  /** Is there something to sweep as soon as that can be done, and does somebody wait for that? */
  #left = false
  #sweeping = false
  #current: Execution | null = null
  #last: Execution | null = null

  private constructor(options: CoordinatorOptions, lock: InstanceLock, storage: Store, targets: Targets) {
    this.#options = options
    this.#lock = lock
    this.#journal = new Journal(`${options.settings.statePath}/journal.db`)
    // What a process that was killed had planned: nobody else plans here.
    rmSync(`${options.settings.statePath}/plans`, { recursive: true, force: true })
    this.#journal.adoptAbandoned(new Date().toISOString())
    this.#storage = storage
    this.#targets = targets
    const stores = storesOf(options)
    this.#meters = new StoreMeters(Object.keys(stores))
    this.#meters.meter(storeNames.storage, storage)
    for (const { name, store } of targets.all) this.#meters.meter(targetStoreName(name), store)
    this.#limits = limitsOf(options, stores)
    this.#pool = openPool({ workers: options.workers, stores, meters: this.#meters.buffer, limits: this.#limits })
    const { settings, log } = options
    const verdicts = new Verdicts(settings.statePath)
    this.#verdicts = verdicts
    this.#around = {
      ...{ settings, storage, pool: this.#pool, journal: this.#journal, verdicts, log, ends: this.#ends },
      flights: this.#limits.flights,
    }
    this.#planner = new Planner(this.#around, targets)
    this.#verifier = new Verifier(this.#around, targets, this.#verdicts)
    this.onEnd(announceTo(options.announcer, (id) => this.operation(id), log))
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
    return !this.#slots.closed
  }

  /**
   * Starts a backup.
   *
   * @param id of the operation, where it has to be known before
   * @throws BUSY, REQUEST_INVALID with `detail.unknownDatabases`
   */
  async startBackup(request: BackupRequest, caller: Caller, id?: string): Promise<Started> {
    const target = this.#targets.get(request.target)
    const { includeConfig: usual, incremental } = this.#options.settings
    const includeConfig = request.includeConfig ?? (usual && request.databases === undefined)
    const started = await this.#take('backup', async () => {
      if (request.databases) {
        refuseUnknown(request.databases, await knownDatabases(this.#storage, this.#options.settings))
      }
      return planBackup(target, { incremental, ...request, includeConfig }, caller, id)
    })
    return { ...started, ...(request.includeConfig === undefined && !usual && { includeConfig }) }
  }

  /** Starts a restore. @throws BUSY, NOT_FOUND, MANIFEST_INVALID, REQUEST_INVALID with `detail.unknownDatabases`, PLAN_CHANGED */
  async startRestore(request: RestoreRequest, caller: Caller): Promise<Started> {
    return this.#take('restore', () => this.#planner.prepare(request, caller))
  }

  /** What a restore would do; `isWanted` is false once nobody waits for it. @throws as `startRestore` */
  async planRestore(request: RestoreRequest, isWanted: () => boolean = () => true): Promise<RestorePlan> {
    return this.#planner.plan(request, isWanted)
  }

  /**
   * Resolves when the backup and its files are gone; where those are so many that the caller would give up before, once it is gone for good from every list. The
   * slot is taken until the last file is gone. @throws BUSY, NOT_FOUND; what kept files of a backup that is gone from the lists from being removed: the sweep comes back to them
   */
  async deleteBackup(id: string, caller: Caller, from?: string): Promise<void> {
    const slot = await this.#slots.enterAfterSweep('delete')
    const locks = new PlaceLocks(this.#around, () => {})
    let removed = Promise.resolve()
    let left: ServiceError | null = null
    let record: DeleteRecord | null = null
    try {
      const target = await this.#targets.holderOf(id, from)
      const marker = this.#markDelete()
      slot.holder = marker
      await locks.take(target, 'delete', marker.operation)
      this.#verifier.refuseDelete(id, target.name)
      this.#removing = id
      record = new DeleteRecord(this.#journal, this.#options.log, {
        operationId: marker.operation,
        backupId: id,
        target: target.name,
        caller: caller.name,
      })
      const deletion = await deleteBackup(target, this.#pool, id, marker, () => locks.confirm())
      this.#verdicts.forget(id, target.name)
      removed = Promise.all([deletion.removed, removePin(target.store, id)])
        .then(() => record?.end(null))
        .catch((error: unknown) => {
          const failure = toFailure(error)
          record?.end(failure)
          this.#options.log.error({ backup_id: id, err: error }, 'files of a deleted backup could not be removed')
          const message = `${id} is deleted, but not all of its files could be removed: ${failure.message}`
          left = new ServiceError(failure.code, message, { cause: error })
          void this.#sweepUntilClean()
        })
    } catch (error) {
      record?.end(toFailure(error))
      throw error
    } finally {
      removed = removed.then(async () => {
        this.#removing = null
        await locks.release()
        this.#slots.leave(slot)
      })
    }
    const patience = new AbortController()
    const late = sleep(deletePatience, undefined, { signal: patience.signal }).catch(() => {})
    await Promise.race([removed, late])
    patience.abort()
    if (left) throw left
  }

  /** Starts a verify, beside whatever runs. @throws BUSY while another one runs, NOT_FOUND */
  async startVerify(request: VerifyRequest, caller: Caller, id?: string): Promise<Started> {
    return this.#verifier.start(request, caller, id)
  }

  /** Starts a prune of one target. @throws BUSY, REQUEST_INVALID */
  async startPrune(request: PruneRequest, caller: Caller, id = newOperationId()): Promise<Started> {
    const target = this.#targets.get(request.target)
    return this.#take('prune', async () => ({
      id,
      kind: 'prune',
      backupId: '',
      target,
      request,
      caller,
      action: (run) =>
        runPrune(run, request, {
          target,
          verdicts: this.#verdicts,
          refuseDelete: (id, place) => this.#verifier.refuseDelete(id, place),
          removing: (id) => {
            this.#removing = id
          },
        }),
    }))
  }

  /** What a prune would do now. @throws REQUEST_INVALID, or the store's failure */
  async planPrune(request: PruneRequest): Promise<PrunePlan> {
    return planPrune(this.#targets.get(request.target), request.policy, this.#verdicts, this.#options.log)
  }

  /** Days and weeks begin in this time zone for a prune that names none. */
  get timezone(): string {
    return this.#options.settings.timezone ?? localZone()
  }

  /** Keeps a backup from every prune; answers where it is. @throws NOT_FOUND, BUSY while it is being removed, or the store's failure */
  async pin(id: string, from: string | undefined, by: string): Promise<string> {
    const { target } = await this.#targets.find(id, from)
    if (this.#removing === id) throw new ServiceError('BUSY', `${id} is being removed`, { operation: 'delete' })
    const isNew = !(await isPinned(target.store, id))
    await writePin(target.store, id, { by, at: new Date().toISOString() })
    try {
      // Another service may have removed it meanwhile; then it must not look as if it had been kept.
      await this.#targets.find(id, target.name)
    } catch (error) {
      if (isNew && isServiceError(error, 'NOT_FOUND')) await removePin(target.store, id)
      throw error
    }
    return target.name
  }

  /** @throws NOT_FOUND, or the store's failure */
  async unpin(id: string, from?: string): Promise<string> {
    const { target } = await this.#targets.find(id, from)
    await removePin(target.store, id)
    return target.name
  }

  get targetNames(): readonly string[] {
    return this.#targets.all.map(({ name }) => name)
  }

  async listBackups(): Promise<BackupList> {
    return this.#targets.list(this.#options.log, this.#verdicts)
  }

  /** The manifest of one backup. @throws NOT_FOUND */
  async showBackup(id: string, from?: string): Promise<Record<string, unknown>> {
    return toClientJson((await this.#targets.find(id, from)).manifest)
  }

  /** The backup or restore that runs, or the last one on record; null before the first. */
  status(): OperationStatus | null {
    return this.#last?.tracker.snapshot() ?? this.#journal.last()
  }

  /** What runs, or ran last in this process: the backup or restore, and the verify. */
  live(): OperationStatus[] {
    return [this.#last?.tracker.snapshot(), this.#verifier.last()].filter((status) => status !== undefined)
  }

  /** Calls back after each end of an operation that began or went on in this process. */
  onEnd(tell: (status: OperationStatus) => void): void {
    this.#ends.add(tell)
  }

  /** How the threads and the stores do. */
  measures(): Measures {
    const { workers, queued } = this.#pool
    const flights = this.#limits.flights.read()
    return { workers, queued: queued(), retries: this.#meters.retries(), latencies: this.#meters.latencies(), flights }
  }

  /** How much of the machine is taken at most. */
  limits(): LimitStatus {
    return this.#limits.read()
  }

  /** Until the process ends, for what runs too. @param bandwidth whole bytes a second, or null for no limit */
  limitBandwidth(bandwidth: number | null): LimitStatus {
    this.#limits.bandwidth.set(bandwidth)
    this.#options.log.info({ bytes_per_second: bandwidth }, 'the bandwidth limit was changed')
    return this.#limits.read()
  }

  /** Room at each target that has a limit and can say so. */
  async space(): Promise<TargetSpace[]> {
    return this.#targets.space()
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

  /** All that a verify found, a line of JSON each. @throws NOT_FOUND */
  findings(id: string): Readable {
    return this.#verifier.findings(this.operation(id).status)
  }

  /** What runs changes too often to be written down each time. */
  #live(entry: JournalEntry): JournalEntry {
    const { operationId } = entry.status
    const last = this.#last?.id === operationId ? this.#last.tracker.snapshot() : this.#verifier.live(operationId)
    return last ? { ...entry, status: last } : entry
  }

  /** Has this credential (SHA-256, hex) begun the current operation, or one that ended less than 15 minutes ago? */
  mayReadStatus(credential: string): boolean {
    const last = this.#last
    if (last?.caller.credential !== credential) return false
    return last.endedAt === null || Date.now() - last.endedAt < statusGrace
  }

  /** Asks the running operation to end. A restore in its switch finishes it first. */
  stop(reason: StopReason): void {
    this.#current?.progress.stop(reason)
  }

  /** Stops the running operation (the backup or restore, unless one is named) at a client's wish. @throws NOT_FOUND when it does not run, BUSY when it can't be stopped any more. */
  cancel(id?: string): void {
    if (id !== undefined && this.#verifier.cancel(id)) return
    const current = this.#current
    if (!current || (id ?? current.id) !== current.id) throw new ServiceError('NOT_FOUND', 'No operation is running')
    if (current.tracker.switching) {
      throw new ServiceError('BUSY', 'Too late to cancel: the restored files are being put in place', {
        operation: 'restore',
      })
    }
    current.progress.stop('CANCELLED')
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    await this.#slots.idle()
  }

  /** Ends what runs as interrupted, then the threads. @param onEnded called in between: the last moment at which what has ended can be looked up */
  async close(onEnded?: () => void): Promise<void> {
    this.#slots.close()
    this.stop('INTERRUPTED')
    await Promise.all([this.#planner.close(), this.idle(), this.#verifier.close()])
    onEnded?.()
    await this.#pool.close()
    await Promise.all([this.#storage.close(), this.#targets.close()])
    this.#journal.close()
    this.#verdicts.close()
    this.#lock.release()
    await this.#options.announcer?.close()
  }

  /**
   * Takes up what was interrupted, one after another; resolves when all of it has ended. A restore that had not begun its switch waits for `resume`: a host that
   * comes back after days must not overwrite newer data unasked.
   */
  async recover(): Promise<void> {
    for (const { status, switching } of this.#journal.interrupted()) {
      if (status.operation === 'restore' && !switching) continue
      const clean = this.#options.settings.onInterrupt === 'clean' && !switching
      await this.#takeUp(status.operationId, clean)
      if (this.#slots.closed) return
    }
    this.#left = true
    await this.#sweepOnce()
    if (this.#left) void this.#sweepUntilClean()
  }

  /** As soon as nobody else writes where it is to write; unless somebody was faster. */
  async #takeUp(id: string, clean: boolean): Promise<void> {
    const { log } = this.#options
    for (let told = false; !this.#slots.closed; await sleep(busyPause, undefined, { ref: false })) {
      try {
        if (!this.#journal.operation(id)?.resumable) return
        await (clean ? this.discard(id) : this.resume(id))
        await this.idle()
        return
      } catch (error) {
        if (!isServiceError(error, 'BUSY')) {
          log.error({ operation_id: id, err: error }, 'cannot take up what was interrupted')
          return
        }
        if (!told) log.warn({ operation_id: id, err: error }, 'what was interrupted waits for who writes there now')
        told = true
      }
    }
  }

  /** Goes on with an interrupted operation. @throws NOT_FOUND, BUSY, REQUEST_INVALID where it can't be resumed */
  async resume(id: string): Promise<Started> {
    const interrupted = this.#interrupted(id)
    return this.#take(interrupted.status.operation, async () => planAgain(this.#targets, interrupted), interrupted)
  }

  /** Gives up an interrupted operation and removes what it left. @throws NOT_FOUND, BUSY, REQUEST_INVALID where it must be finished */
  async discard(id: string): Promise<void> {
    const interrupted = this.#interrupted(id)
    if (interrupted.switching) {
      throw new ServiceError('REQUEST_INVALID', 'this restore has begun to change live files: it can only be resumed')
    }
    const slot = await this.#slots.enterAfterSweep(interrupted.status.operation)
    const locks = new PlaceLocks(this.#around, () => {})
    try {
      await locks.takeFor(planAgain(this.#targets, interrupted), true)
      await discardOperation(this.#around, planAgain(this.#targets, interrupted), interrupted)
    } finally {
      await locks.release()
      this.#slots.leave(slot)
    }
  }

  /** Removes what operations that have ended left. @throws BUSY */
  async sweep(dryRun: boolean): Promise<Swept[]> {
    const slot = this.#slots.enter('sweep')
    try {
      return await sweep(this.#around, this.#targets.all, dryRun)
    } finally {
      this.#slots.leave(slot)
    }
  }

  /** Sweeps as soon as nothing runs; nobody is kept waiting by a target that gives no answer. Never rejects. */
  async #sweepOnce(): Promise<void> {
    let silent = await this.#targets.silent()
    // Whoever was faster goes first. Left to a timer, what is left stayed on a busy service for as long as each try met an operation.
    while (this.#slots.taken) {
      await this.#slots.idle()
      if (this.#slots.closed) return
      silent = await this.#targets.silent()
    }
    const slot = this.#slots.enter('sweep')
    try {
      this.#left = false
      const onLeft = (): void => {
        this.#left = true
      }
      await sweep(this.#around, this.#targets.all, false, { onLeft, silent })
    } catch (error) {
      this.#left = true
      this.#options.log.warn({ err: error }, 'what was left could not be swept yet')
    } finally {
      this.#slots.leave(slot)
    }
  }

  /** What could not be removed goes once the place where it is answers again: nobody has to think of it. */
  async #sweepUntilClean(): Promise<void> {
    this.#left = true
    if (this.#sweeping) return
    this.#sweeping = true
    for (let pause = sweepPause; this.#left; pause = Math.min(pause * 2, longestSweepPause)) {
      await sleep(pause, undefined, { ref: false })
      if (this.#slots.closed) return
      await this.#sweepOnce()
    }
    this.#sweeping = false
  }

  /** Puts back what a restore in mode `replace` moved aside. @throws BUSY, NOT_FOUND, REQUEST_INVALID */
  async undo(id: string): Promise<Undone> {
    this.operation(id)
    const slot = await this.#slots.enterAfterSweep('restore')
    const locks = new PlaceLocks(this.#around, () => {})
    try {
      await locks.takeStorage('undo', id)
      return await undo(this.#around, id)
    } finally {
      await locks.release()
      this.#slots.leave(slot)
    }
  }

  #interrupted(id: string): Interrupted {
    this.operation(id)
    const found = this.#journal.interrupted().find(({ status }) => status.operationId === id)
    if (!found)
      throw new ServiceError('REQUEST_INVALID', 'this operation was not interrupted: there is nothing to resume')
    return found
  }

  async #take(kind: OperationKind, plan: () => Promise<Plan>, interrupted?: Interrupted): Promise<Started> {
    const slot = await this.#slots.enterAfterSweep(kind)
    const locks = new PlaceLocks(this.#around, () => this.#current?.progress.stop('LOCK_LOST'))
    try {
      const planned = await plan()
      const locked = await locks.takeFor(planned, interrupted !== undefined)
      const execution = await execute(this.#around, locked, interrupted)
      slot.holder = { operation: execution.id, since: execution.tracker.snapshot().startedAt }
      this.#current = execution
      this.#last = execution
      if (this.#slots.closed) execution.progress.stop('INTERRUPTED')
      void execution.ended.then(() => {
        this.#current = null
        this.#slots.leave(slot)
        if (execution.tracker.leftBehind) void this.#sweepUntilClean()
      })
      return { backupId: planned.backupId, operationId: planned.id, target: planned.target.name }
    } catch (error) {
      await locks.release()
      this.#slots.leave(slot)
      throw stateFailure(error, this.#options.settings.statePath)
    }
  }

  #markDelete(): Marker {
    return {
      instance: this.#journal.instance,
      operation: newOperationId(),
      kind: 'delete',
      host: hostname(),
      since: new Date().toISOString(),
    }
  }
}

/** What the threads know, by the names that tasks use. */
export function storesOf({ settings, storage, targets }: CoordinatorOptions): Record<string, StoreConfig> {
  const state: StoreConfig = { kind: 'local', root: settings.statePath }
  const places = targets.map(({ name, store }) => [targetStoreName(name), store] as const)
  return { [storeNames.storage]: storage, [storeNames.state]: state, ...Object.fromEntries(places) }
}

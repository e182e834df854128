import { existsSync, renameSync, rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import type { Logger } from 'pino'
import { type Failure, ServiceError, toFailure } from '../errors.js'
import { LocalStore } from '../stores/local.js'
import { isWaitedOut } from '../stores/retry.js'
import { stoppable } from '../stores/stopping.js'
import type { Store } from '../stores/store.js'
import { bootId } from './boot-id.js'
import { bytesOnRecord } from './bytes-on-record.js'
import { endCommitted, findCommitted } from './commit.js'
import { removeBackup } from './delete.js'
import { inventoryFile, leftInventory } from './earlier.js'
import type { Flights } from './flights.js'
import { Inventory } from './inventory.js'
import type { Interrupted, Journal } from './journal.js'
import { readKnownDamage } from './known-damage.js'
import type {
  BackupRequest,
  Caller,
  OperationKind,
  OperationStatus,
  Outcome,
  PruneRequest,
  RestoreRequest,
  VerifyRequest,
} from './operation.js'
import type { Pool } from './pool.js'
import { Progress } from './progress.js'
import { type EngineSettings, type Run, storeNames, targetStoreName } from './run.js'
import { sourceDevice } from './source-root.js'
import { stateFailure } from './state-failure.js'
import type { Target } from './targets.js'
import { Tracker } from './tracker.js'
import { abortUploads, openUploads } from './uploads.js'
import type { Verdicts } from './verdicts.js'

/** How often the journal is told how far an operation is, in ms. */
const savePeriod = 2000
/** Resumes in a row that may move nothing. */
const mostStalls = 3

/** What every operation of a service works with. */
export interface Surroundings {
  readonly settings: EngineSettings
  readonly storage: Store
  readonly pool: Pool
  readonly journal: Journal
  readonly verdicts: Pick<Verdicts, 'of' | 'damaged' | 'findingsOf'>
  readonly log: Logger
  readonly flights?: Flights
  /** Told of each end of an operation. */
  readonly ends?: ReadonlySet<(status: OperationStatus) => void>
}

export interface Plan {
  readonly id: string
  readonly kind: OperationKind
  readonly backupId: string
  readonly target: Target
  readonly request: BackupRequest | RestoreRequest | VerifyRequest | PruneRequest
  readonly caller: Caller
  readonly action: (run: Run) => Promise<Outcome>
  /** Folder of the state that its own folder is made in. */
  readonly folder?: 'operations' | 'plans'
  /** @throws LOCK_LOST */
  readonly confirmLocks?: () => Promise<void>
  /** Gives back what was taken for it, before anybody learns that it ended. Never rejects. */
  readonly release?: () => Promise<void>
}

/** An operation that runs, or ran last. */
export interface Execution {
  readonly id: string
  readonly caller: Caller
  readonly tracker: Tracker
  readonly progress: Progress
  endedAt: number | null
  /** Never rejects: what went wrong is in the status, the journal and the log. */
  readonly ended: Promise<void>
}

/** Starts an operation, or takes it up where it was interrupted. Resolves as soon as it is on record. */
export async function execute(around: Surroundings, plan: Plan, interrupted?: Interrupted): Promise<Execution> {
  const { journal } = around
  const boot = bootId()
  const onRecord = interrupted ? await bytesOnRecord(`${around.settings.statePath}/operations/${plan.id}`) : 0
  const earlier = interrupted && journal.resume(plan.id, boot, onRecord)
  const sameBoot = boot !== '' && earlier?.boot === boot
  const run = await openRun(around, plan, earlier && { ...earlier, sameBoot })
  if (!earlier) {
    try {
      journal.begin({ status: run.tracker.snapshot(), request: { ...plan.request }, caller: plan.caller.name }, boot)
    } catch (error) {
      run.tracker.end('failed', toFailure(error))
      await closeRun(run, true)
      throw error
    }
  }
  run.log.info({ caller: plan.caller.name }, `${plan.kind} ${earlier ? 'resumed' : 'started'}`)
  const givenUp = plan.kind === 'backup' && (earlier?.stalls ?? 0) >= mostStalls
  const action = givenUp ? giveUp : plan.action
  const { tracker, progress } = run
  const execution = { id: plan.id, caller: plan.caller, tracker, progress, endedAt: null, ended: Promise.resolve() }
  return Object.assign(execution, {
    ended: carryOut(run, action, plan.release).then(() => {
      Object.assign(execution, { endedAt: Date.now() })
      for (const tell of around.ends ?? []) tell(tracker.snapshot())
    }),
  })
}

export async function openRun(
  { settings, storage, pool, journal, verdicts, log, flights }: Surroundings,
  { id, kind, backupId, target, request, folder = 'operations', confirmLocks = async () => {} }: Plan,
  earlier?: Interrupted & { sameBoot: boolean },
): Promise<Run> {
  // V8 looks for garbage when its old space has grown by so much, not by several times what lives in it: with 200,000 files the peak is 190 MiB, not 237, for no more CPU.
  // Not before an operation: a start that loads 25 MiB of code took 0.1 s longer. A V8 that does not know the flag says so and goes on.
  setFlagsFromString('--heap-growing-percent=30')
  const scratchFolder = `${folder}/${id}`
  const scratch = new LocalStore(`${settings.statePath}/${scratchFolder}`)
  await mkdir(scratch.url, { recursive: true, mode: 0o700 })
  // A switch goes on with the list that it has; a backup makes a new one.
  if (earlier && !earlier.switching) putInventoryAside(scratch.url)
  const progress = new Progress()
  const identity = {
    operation: kind,
    operationId: id,
    backupId,
    target: target.name,
    databases: request.databases ?? null,
  }
  const tracker = new Tracker(identity, progress, earlier)
  const used = [storeNames.storage, targetStoreName(target.name)]
  if (flights) tracker.flights = () => flights.read().filter(({ store }) => used.includes(store))
  return {
    id,
    backupId,
    startedAt: new Date(tracker.snapshot().startedAt),
    settings,
    storage,
    sourceDevice: sourceDevice(settings.storagePath),
    target: target.store,
    targetStore: targetStoreName(target.name),
    uploads: `${scratch.url}/uploads.jsonl`,
    scratch,
    scratchFolder,
    pool,
    progress,
    tracker,
    inventory: new Inventory(`${scratch.url}/${inventoryFile}`),
    journal,
    resumed: earlier ? { sameBoot: earlier.sameBoot, switching: earlier.switching } : null,
    isDamaged: (backup, manifest) => verdicts.of(backup, target.name, manifest).verified === 'damaged',
    knownDamage: (since) => readKnownDamage(verdicts, target.name, since),
    log: log.child({ operation: kind, operation_id: id, backup_id: backupId }),
    confirmLocks,
  }
}

/** A server that stands still keeps nobody from stopping; but a switch is finished whoever asks to stop. */
function stopping<T>({ storage, target, tracker, progress }: Run, action: () => Promise<T>): Promise<T> {
  if (!storage.patience && !target.patience) return action()
  return stoppable(() => tracker.switching || progress.check(), action)
}

/** It would be interrupted for ever. */
async function giveUp(run: Run): Promise<Outcome> {
  const committed = await findCommitted(run)
  if (committed) return endCommitted(run, committed)
  await removeBackup(run)
  throw new ServiceError(
    'UNAVAILABLE',
    `the backup was interrupted ${mostStalls} times in a row without getting any further`,
  )
}

async function carryOut(run: Run, action: Plan['action'], release: Plan['release']): Promise<void> {
  const { tracker, settings, journal, log } = run
  const timeout = setTimeout(
    () => run.progress.stop('TIMEOUT'),
    Math.max(1, settings.operationTimeoutMs - tracker.spentMs),
  )
  const saving = setInterval(() => save(run), savePeriod)
  let outcome: Outcome
  let failure: Failure | null = null
  let clean = true
  try {
    // Parts of an upload whose process died; those of this run are removed by who began them.
    if (run.resumed) await removeUploads(run)
    outcome = await stopping(run, () => action(run))
    // What a store could not remove when it gave an upload up: the operation is whole without.
    clean = await removeUploads(run)
  } catch (error) {
    failure = toFailure(stateFailure(error, settings.statePath))
    outcome = outcomeOf(failure)
    log.error({ err: error }, 'operation failed')
    // A store that did not answer for so long is not waited for once more.
    clean = isWaitedOut(failure) ? openUploads(run.uploads).length === 0 : await removeUploads(run)
  } finally {
    clearTimeout(timeout)
    clearInterval(saving)
  }
  if (!clean) tracker.leftBehind = true
  const stays = outcome === 'interrupted' && staysInterrupted(run)
  const record = (): boolean => {
    try {
      const status = tracker.preview(outcome, failure)
      if (stays) journal.interrupt(status, tracker.spentMs)
      else journal.end(status)
      return true
    } catch (error) {
      log.error({ err: error }, 'the end of the operation could not be put on record')
      return false
    }
  }
  // Before its folder goes: a switch that was killed after that could not be finished any more.
  const recorded = record()
  await closeRun(run, !stays && clean && !tracker.leftBehind && (recorded || !tracker.begun))
  // On a full disk there is room now.
  if (!recorded) record()
  await release?.()
  tracker.end(outcome, failure)
  const status = tracker.snapshot()
  for (const warning of status.warnings) log.warn(warning)
  log.info(
    {
      outcome: status.outcome,
      files: status.processedFiles,
      bytes: status.processedBytes,
      skipped: status.skippedFiles,
      phase_ms: status.phaseMs,
    },
    `${status.operation} ended`,
  )
}

/**
 * Is an operation that is asked to stop left as it is? A restore that changes live files can't be left to anyone but its resume; a verify leaves nothing, and
 * what a prune has begun to remove the sweep finishes.
 */
export function staysInterrupted({ settings, tracker }: Run): boolean {
  if (tracker.operation === 'verify' || tracker.operation === 'prune') return false
  return settings.onInterrupt === 'resume' || tracker.begun
}

export async function closeRun(run: Run, forGood: boolean): Promise<void> {
  try {
    run.inventory.close()
    if (forGood) await rm(run.scratch.url, { recursive: true, force: true })
  } catch (error) {
    run.log.warn({ err: error }, `cannot remove ${run.scratch.url}`)
  }
}

/** @returns false where some could not be removed: then their record stays, for the sweep */
export async function removeUploads(run: Run): Promise<boolean> {
  try {
    await abortUploads(run.uploads, (name) => (name === storeNames.storage ? run.storage : run.target))
    return true
  } catch (error) {
    run.log.error({ err: error }, 'uploads in parts are left over: the next sweep removes them')
    return false
  }
}

function save({ journal, tracker, log }: Run): void {
  try {
    journal.save(tracker.snapshot(), tracker.spentMs)
  } catch (error) {
    log.warn({ err: error }, 'how far the operation is could not be put on record')
  }
}

/** One that is there already was not taken up before the next interruption: the newer one has nothing then. */
function putInventoryAside(folder: string): void {
  const taken = existsSync(`${folder}/${leftInventory}`)
  for (const suffix of ['', '-wal', '-shm']) {
    const file = `${folder}/${inventoryFile}${suffix}`
    if (taken) rmSync(file, { force: true })
    else if (existsSync(file)) renameSync(file, `${folder}/${leftInventory}${suffix}`)
  }
}

function outcomeOf(failure: Failure): Outcome {
  if (failure.code === 'CANCELLED') return 'cancelled'
  return failure.code === 'INTERRUPTED' ? 'interrupted' : 'failed'
}

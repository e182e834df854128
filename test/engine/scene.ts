import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { ChangedOutcome } from '../../src/engine/changed-folders.js'
import { Inventory } from '../../src/engine/inventory.js'
import { Journal } from '../../src/engine/journal.js'
import type { BackupRequest, RestoreRequest } from '../../src/engine/operation.js'
import type { Pool } from '../../src/engine/pool.js'
import { Progress } from '../../src/engine/progress.js'
import { type EngineSettings, type Run, targetStoreName } from '../../src/engine/run.js'
import type { SelectOutcome } from '../../src/engine/selection.js'
import type { IndexOutcome } from '../../src/engine/sidecar-runs.js'
import { sourceDevice } from '../../src/engine/source-root.js'
import { Tracker } from '../../src/engine/tracker.js'
import type { TransferOutcome } from '../../src/engine/transfer.js'
import type { Verdicts } from '../../src/engine/verdicts.js'
import type { ListOutcome } from '../../src/engine/walk.js'
import { fromFailure } from '../../src/errors.js'
import { newBackupId } from '../../src/format/backup-id.js'
import { runMetadataTask } from '../../src/metadata/task.js'
import { LocalStore } from '../../src/stores/local.js'
import type { openStore } from '../../src/stores/open.js'
import type { Store } from '../../src/stores/store.js'
import { type TransferThreadData, taskRunner } from '../../workers/transfer.js'

export const wholeBackup: BackupRequest = { includeMetadata: false, includeConfig: false }

/** Of a state in which nothing was ever verified. */
export const noVerdicts: Pick<Verdicts, 'of' | 'damaged' | 'findingsOf'> = {
  of: () => ({}),
  damaged: () => [],
  findingsOf: () => '',
}

/** What a restore of everything that is data asks for. */
export function restoreOf(backupId: string, more: Partial<RestoreRequest> = {}): RestoreRequest {
  return {
    backupId,
    restoreData: true,
    restoreMetadata: false,
    restoreConfig: false,
    mode: 'merge',
    allOrNothing: false,
    staging: 'all',
    ...more,
  }
}

export interface Scene {
  readonly folder: string
  /** Arc's files. */
  readonly storage: string
  /** Where backups are. */
  readonly target: string
  /** Lines of the log. */
  readonly log: string[]
  readonly settings: EngineSettings
  /** Writes files below the storage root; content is the path itself unless it is given. */
  put(...files: (string | [path: string, content: string | Buffer])[]): void
  /** An operation's parts, all real but for the threads: their tasks run in this one. */
  open(kind?: 'backup' | 'restore' | 'verify', backupId?: string): Run
}

/** Stores and threads of another kind. */
export interface SceneParts {
  wrap(store: Store, name: string): Store
  pool(data: TransferThreadData): Pool
}

const plainParts: SceneParts = { wrap: (store) => store, pool: poolHere }

/** A storage, a destination and a state in a folder of their own. */
export function openScene(
  t: Test,
  more: Partial<EngineSettings> = {},
  within?: string,
  { wrap, pool: openPool }: SceneParts = plainParts,
): Scene {
  const folder = within ?? t.testdir({})
  const [storage, target, statePath] = ['storage', 'backups', 'state'].map((name) => `${folder}/${name}`) as [
    string,
    string,
    string,
  ]
  for (const path of [storage, target, statePath]) mkdirSync(path, { recursive: true })
  const settings: EngineSettings = {
    version: 'arc-backup/test',
    statePath,
    storagePath: storage,
    includeConfig: false,
    transfers: 4,
    operationTimeoutMs: 60_000,
    onInterrupt: 'resume',
    incremental: true,
    rehashAfterMs: 30 * 86_400_000,
    keepReplacedMs: 60_000,
    lockTtlMs: 15_000,
    maxSkipped: 0.1,
    settlePasses: 5,
    excluded: [],
    uncovered: [],
    databases: [],
    configFile: null,
    parseConfiguration: () => {},
    checkConfiguration: () => {},
    ...more,
  }
  const pool = openPool({
    stores: {
      storage: { kind: 'local', root: storage },
      [targetStoreName('local')]: { kind: 'local', root: target },
      state: { kind: 'local', root: statePath },
    },
  })
  const journal = new Journal(`${statePath}/journal.db`)
  t.teardown(() => journal.close())
  const log: string[] = []
  const open: Scene['open'] = (operation = 'backup', backupId = newBackupId(new Date())) => {
    const id = randomBytes(6).toString('hex')
    const scratchFolder = `operations/${id}`
    const scratch = new LocalStore(`${statePath}/${scratchFolder}`)
    mkdirSync(scratch.url, { recursive: true })
    const progress = new Progress()
    const tracker = new Tracker({ operation, operationId: id, backupId, target: 'local', databases: null }, progress)
    const inventory = new Inventory(`${scratch.url}/inventory.db`)
    t.teardown(() => {
      tracker.end('completed', null)
      inventory.close()
    })
    return {
      id,
      backupId,
      startedAt: new Date(),
      settings,
      storage: wrap(new LocalStore(storage), 'storage'),
      sourceDevice: sourceDevice(storage),
      target: wrap(new LocalStore(target), targetStoreName('local')),
      targetStore: targetStoreName('local'),
      uploads: `${scratch.url}/uploads.jsonl`,
      scratch,
      scratchFolder,
      pool,
      progress,
      tracker,
      inventory,
      journal,
      resumed: null,
      isDamaged: () => false,
      knownDamage: async () => ({ all: 0, files: new Map() }),
      confirmLocks: async () => {},
      log: pino({ level: 'trace' }, { write: (line: string) => log.push(line) }),
    }
  }
  const put: Scene['put'] = (...files) => {
    for (const file of files) {
      const [path, content] = typeof file === 'string' ? [file, file] : file
      mkdirSync(dirname(`${storage}/${path}`), { recursive: true })
      writeFileSync(`${storage}/${path}`, content)
    }
  }
  return { folder, storage, target, log, settings, put, open }
}

/** The pool's tasks without its threads. */
export function poolHere(data: TransferThreadData, open?: typeof openStore): Pool {
  const run = taskRunner(data, open)
  return {
    workers: 2,
    queued: () => 0,
    transfer: (task) => run(task) as Promise<TransferOutcome>,
    list: async (task) => {
      const outcome = (await run(task)) as ListOutcome
      if ('level' in outcome) return outcome.level
      throw fromFailure(outcome.failure)
    },
    changed: async (task) => {
      const outcome = (await run(task)) as ChangedOutcome
      if ('changed' in outcome) return outcome.changed
      throw fromFailure(outcome.failure)
    },
    index: async (task) => {
      const outcome = (await run(task)) as IndexOutcome
      if ('runs' in outcome) return outcome.runs
      throw fromFailure(outcome.failure)
    },
    select: async (task) => {
      const outcome = (await run(task)) as SelectOutcome
      if ('failure' in outcome) throw fromFailure(outcome.failure)
      return outcome
    },
    metadata: (task) => runMetadataTask(task),
    close: async () => {},
  }
}

import { mkdirSync } from 'node:fs'
import { ServiceError } from '../errors.js'
import { openStore } from '../stores/open.js'
import { announceTo } from './announcer.js'
import { type CoordinatorOptions, type Started, storesOf } from './coordinator.js'
import { Journal, type JournalEntry } from './journal.js'
import { limitsOf } from './limits.js'
import type { Caller, OperationStatus, VerifyRequest } from './operation.js'
import { openPool } from './pool.js'
import { Targets } from './targets.js'
import { Verdicts } from './verdicts.js'
import { Verifier } from './verifier.js'

/** A verifier with threads of its own, for a process that may stand beside a service: it does not take the lock on their common state. */
export interface StandaloneVerifier {
  start(request: VerifyRequest, caller: Caller): Promise<Started>
  /** @throws NOT_FOUND */
  operation(id: string): JournalEntry
  cancel(id: string): void
  close(): Promise<void>
}

export async function openStandaloneVerifier(options: CoordinatorOptions): Promise<StandaloneVerifier> {
  const { settings, log } = options
  const { statePath } = settings
  const { journal, verdicts } = openRecords(statePath)
  const targets = await Targets.open(options.targets, options.defaultTarget)
  const storage = await openStore(options.storage)
  const stores = storesOf(options)
  const limits = limitsOf(options, stores)
  const pool = openPool({ workers: options.workers, stores, limits })
  const { flights } = limits
  const ends = new Set<(status: OperationStatus) => void>()
  const verifier = new Verifier({ settings, storage, pool, journal, verdicts, log, flights, ends }, targets, verdicts)
  const operation = (id: string): JournalEntry => {
    const entry = journal.operation(id)
    if (!entry) throw new ServiceError('NOT_FOUND', 'Operation not found')
    const status = verifier.live(id)
    return status ? { ...entry, status } : entry
  }
  ends.add(announceTo(options.announcer, operation, log))
  return {
    start: (request, caller) => verifier.start(request, caller),
    operation,
    cancel: (id) => void verifier.cancel(id),
    close: async () => {
      await verifier.close()
      await pool.close()
      await Promise.all([storage.close(), targets.close()])
      journal.close()
      verdicts.close()
      await options.announcer?.close()
    },
  }
}

function openRecords(statePath: string): { journal: Journal; verdicts: Verdicts } {
  try {
    mkdirSync(statePath, { recursive: true, mode: 0o700 })
    return { journal: new Journal(`${statePath}/journal.db`), verdicts: new Verdicts(statePath) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ServiceError('STORE_DENIED', `cannot use backup.state_path ${statePath}: ${why}`, { cause: error })
  }
}

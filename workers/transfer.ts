import { workerData } from 'node:worker_threads'
import { type ChangedOutcome, type ChangedTask, findChanged } from '../src/engine/changed-folders.js'
import { type LimitData, Limits } from '../src/engine/limits.js'
import { type SelectOutcome, type SelectTask, selectEntries } from '../src/engine/selection.js'
import { findRuns, type IndexOutcome, type IndexTask } from '../src/engine/sidecar-runs.js'
import { type TransferOutcome, type TransferTask, transfer } from '../src/engine/transfer.js'
import { type ListOutcome, type ListTask, listLevel } from '../src/engine/walk.js'
import { toFailure } from '../src/errors.js'
import { StoreMeters } from '../src/stores/meters.js'
import { openStore, type StoreConfig } from '../src/stores/open.js'
import type { Store } from '../src/stores/store.js'

/** What each thread is given once: store configurations by name, so that no task carries a credential. */
export interface TransferThreadData {
  readonly stores: Readonly<Record<string, StoreConfig>>
  /** Where the threads count together, for these stores. */
  readonly meters?: SharedArrayBuffer
  /** What they share of the machine. */
  readonly limits?: LimitData
}

type Task = TransferTask | ListTask | ChangedTask | IndexTask | SelectTask
type Outcome = TransferOutcome | ListOutcome | ChangedOutcome | IndexOutcome | SelectOutcome

/** One task in, one outcome out. Failures are outcomes, never thrown. Each store is opened once; tests open some that fail. */
export function taskRunner(
  { stores, meters: buffer, limits: shared }: TransferThreadData,
  openOne: typeof openStore = openStore,
) {
  const meters = buffer && new StoreMeters(Object.keys(stores), buffer)
  const limits = shared && new Limits(shared)
  const open = new Map<string, Promise<Store>>()
  const storeByName = async (name: string): Promise<Store> => {
    const config = stores[name]
    if (!config) throw new Error(`no store is configured under the name ${name}`)
    const store =
      open.get(name) ??
      openOne(config).then((opened) => {
        limits?.watch(name, opened)
        return meters?.meter(name, opened) ?? opened
      })
    open.set(name, store)
    return store
  }
  return async (task: Task): Promise<Outcome> => {
    try {
      switch (task.kind) {
        case 'list':
          return { level: await listLevel(task, await storeByName(task.store)) }
        case 'changed':
          return { changed: findChanged(task, await storeByName(task.store)) }
        case 'index':
          return { runs: findRuns(task.file, task.start, task.end) }
        case 'select':
          return selectEntries(task)
        default:
          return await transfer(task, storeByName, limits)
      }
    } catch (error) {
      return { failure: toFailure(error) }
    }
  }
}

/** Thread entry; outside of a thread no store is known. */
export default taskRunner((workerData as TransferThreadData | null) ?? { stores: {} })

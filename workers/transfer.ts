import { workerData } from 'node:worker_threads'
import { type TransferOutcome, type TransferTask, transfer } from '../src/engine/transfer.js'
import { type ListOutcome, type ListTask, listLevel } from '../src/engine/walk.js'
import { toFailure } from '../src/errors.js'
import { openStore, type StoreConfig } from '../src/stores/open.js'
import type { Store } from '../src/stores/store.js'

/** What each thread is given once: store configurations by name, so that no task carries a credential. */
export interface TransferThreadData {
  readonly stores: Readonly<Record<string, StoreConfig>>
}

const open = new Map<string, Promise<Store>>()

/** Piscina wraps what the pool passed as `workerData` as the last element of an array. */
function configuration(): TransferThreadData {
  const data: unknown = Array.isArray(workerData) ? workerData.at(-1) : workerData
  return data as TransferThreadData
}

function storeByName(stores: TransferThreadData['stores'], name: string): Promise<Store> {
  const config = stores[name]
  if (!config) throw new Error(`no store is configured under the name ${name}`)
  const store = open.get(name) ?? openStore(config)
  open.set(name, store)
  return store
}

/** Thread entry: one task in, one outcome out. Failures are outcomes, never thrown. */
export default async function runTask(task: TransferTask | ListTask): Promise<TransferOutcome | ListOutcome> {
  const { stores } = configuration()
  if (task.kind !== 'list') return transfer(task, async (name) => storeByName(stores, name))
  try {
    return { level: await listLevel(task, await storeByName(stores, task.store)) }
  } catch (error) {
    return { failure: toFailure(error) }
  }
}

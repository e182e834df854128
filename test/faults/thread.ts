import { workerData } from 'node:worker_threads'
import { openStore, type StoreConfig } from '../../src/stores/open.js'
import { type TransferThreadData, taskRunner } from '../../workers/transfer.js'
import { faulty } from './faulty-store.js'
import { type Planned, planOf } from './plan.js'

/** A store's configuration with what is to go wrong there, in each thread by itself. Only this entry knows of such a thing. */
export type FaultyConfig = StoreConfig & { readonly faults?: readonly Planned[] }

/** The entry of threads whose stores fail. */
export default taskRunner((workerData as TransferThreadData | null) ?? { stores: {} }, async (config: FaultyConfig) =>
  faulty(await openStore(config), planOf(config.faults ?? [])),
)

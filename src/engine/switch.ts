import { readFile, writeFile } from 'node:fs/promises'
import { ServiceError } from '../errors.js'
import type { Lacking } from './contents.js'
import type { StagedPart } from './install.js'
import type { RestoreRequest } from './operation.js'
import type { Owner } from './precheck.js'
import type { Run } from './run.js'

/** What a restore must know to go on with a switch, beside its inventory. */
export interface SwitchRecord {
  readonly staging: RestoreRequest['staging']
  readonly parts: readonly StagedPart[]
  readonly missing: Lacking
  readonly owner?: Owner
}

/** The same as it was written down. */
export interface WrittenSwitch extends SwitchRecord {
  readonly verified: boolean | null
  readonly totalFiles: number
  readonly totalBytes: number
}

const file = 'switch.json'

/** Makes durable all that finishing the switch needs, and then says in the journal that live files change from here on. */
export async function beginSwitch(run: Run, record: SwitchRecord): Promise<void> {
  const { tracker, scratch, inventory, journal } = run
  const { totalFiles, totalBytes, restore } = tracker
  const written: WrittenSwitch = { ...record, verified: restore?.verified ?? null, totalFiles, totalBytes }
  await writeFile(`${scratch.url}/${file}`, JSON.stringify(written), { mode: 0o600 })
  inventory.flush()
  await scratch.sync?.()
  await run.confirmLocks()
  journal.beginSwitch(run.id)
  tracker.begun = true
  // One by one, there is no state to protect from a cancel: each file is whole, old or new.
  tracker.switching = record.staging === 'all'
}

/** @throws INTERNAL where what was written down is gone: the state's folder was meddled with */
export async function readSwitch(run: Run): Promise<WrittenSwitch> {
  try {
    return JSON.parse(await readFile(`${run.scratch.url}/${file}`, 'utf8')) as WrittenSwitch
  } catch (error) {
    const message = `cannot finish the restore of ${run.backupId}: what it had staged is not on record in ${run.scratch.url} any more`
    throw new ServiceError('INTERNAL', message, { cause: error })
  }
}

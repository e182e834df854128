import { endCommitted, findCommitted } from './commit.js'
import { removeBackup } from './delete.js'
import { closeRun, openRun, type Plan, removeUploads, type Surroundings } from './execution.js'
import type { Interrupted } from './journal.js'
import type { Run } from './run.js'
import { unstageLeft } from './unstage.js'

/**
 * Gives up an interrupted operation: removes what it left at the target, or beside live files, and its own records. A backup that was committed is none to give
 * up: it is on record as completed then.
 */
export async function discardOperation(around: Surroundings, plan: Plan, interrupted: Interrupted): Promise<void> {
  const run = await openRun(around, plan, { ...interrupted, sameBoot: false })
  let clean = true
  try {
    clean = await removeUploads(run)
    const committed = plan.kind === 'backup' ? await findCommitted(run) : null
    if (committed) {
      around.journal.end(run.tracker.preview(await endCommitted(run, committed), null))
      return
    }
    await removeLeftovers(run, plan)
    const { status } = interrupted
    const outcome = around.settings.onInterrupt === 'clean' ? 'interrupted' : 'cancelled'
    around.journal.end({ ...status, outcome, error: `${status.error ?? 'interrupted'}; it was given up` })
    run.log.info('what was interrupted is given up, and what it left is removed')
  } finally {
    run.tracker.end('cancelled', null)
    await closeRun(run, clean)
  }
}

async function removeLeftovers(run: Run, { kind }: Plan): Promise<void> {
  if (kind === 'backup') await removeBackup(run)
  else if (run.storage.rename) await unstageLeft(run.pool, run.id, run.scratch.url)
}

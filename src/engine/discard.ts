import { closeRun, openRun, type Plan, removeUploads, type Surroundings } from './execution.js'
import type { Interrupted } from './journal.js'
import { unstageLeft } from './unstage.js'

/** Gives up an interrupted operation: removes what it left at the target, or beside live files, and its own records. */
export async function discardOperation(around: Surroundings, plan: Plan, interrupted: Interrupted): Promise<void> {
  const run = await openRun(around, plan, { ...interrupted, sameBoot: false })
  try {
    await removeUploads(run)
    if (plan.kind === 'backup') await run.target.remove([`${plan.backupId}/`])
    else if (run.storage.rename) await unstageLeft(run.pool, run.id, run.scratch.url)
    const { status } = interrupted
    const outcome = around.settings.onInterrupt === 'clean' ? 'interrupted' : 'cancelled'
    around.journal.end({ ...status, outcome, error: `${status.error ?? 'interrupted'}; it was given up` })
    run.log.info('what was interrupted is given up, and what it left is removed')
  } finally {
    run.tracker.end('cancelled', null)
    await closeRun(run, true)
  }
}

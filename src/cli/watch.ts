import { setTimeout as sleep } from 'node:timers/promises'
import { isServiceError, ServiceError } from '../errors.js'
import type { Backups, Begun, Body } from './backups.js'
import { type Output, ProgressLine } from './progress-line.js'

const pollPeriod = 250
/** So many answers may be missing in a row: an operation of hours goes on while the network takes a breath. */
const missedAtMost = 10

/**
 * Shows an operation's progress until it has ended, and returns its last status: as it is told, or, where nobody tells or the stream of it breaks, as it is
 * asked for.
 *
 * @throws INTERNAL when the service speaks of another operation: how this one ended it no longer says
 */
export async function watch(
  backups: Pick<Backups, 'status' | 'follow'>,
  output: Output,
  { backupId, operationId }: Begun,
): Promise<Body> {
  const line = new ProgressLine(output)
  let missed = 0
  try {
    const told = operationId === '' ? null : await listen(backups.follow?.(operationId), line)
    if (told) return told
    for (;;) {
      const status = await backups.status().catch((error: unknown) => {
        missed += 1
        if (missed > missedAtMost || !isServiceError(error, 'UNAVAILABLE', 'TOO_MANY_REQUESTS')) throw error
        return null
      })
      if (status) {
        missed = 0
        refuseOther(status, backupId)
        if (status.status !== 'running') return status
        line.show(status)
      }
      await sleep(pollPeriod)
    }
  } finally {
    line.end()
  }
}

/** The last status; null where it was not to be heard. */
async function listen(statuses: AsyncIterable<Body> | undefined, line: ProgressLine): Promise<Body | null> {
  try {
    for await (const status of statuses ?? []) {
      if (status.status !== 'running') return status
      line.show(status)
    }
  } catch {
    // Whatever is wrong, asking will show it.
  }
  return null
}

function refuseOther(status: Body, backupId: string): void {
  if (backupId === '' || status.backup_id === backupId) return
  const other = status.backup_id === undefined ? 'knows of no operation' : `speaks of ${status.backup_id}`
  throw new ServiceError('INTERNAL', `cannot tell how the operation on ${backupId} ended: the service now ${other}`)
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Backups, Body } from './backups.js'
import { type Output, ProgressLine } from './progress-line.js'

const pollPeriod = 250

/** Shows an operation's progress until it has ended, and returns its last status. */
export async function watch(backups: Backups, output: Output): Promise<Body> {
  const line = new ProgressLine(output)
  try {
    for (;;) {
      const status = await backups.status()
      if (status.status !== 'running') return status
      line.show(status)
      await sleep(pollPeriod)
    }
  } finally {
    line.end()
  }
}

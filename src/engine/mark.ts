import { hostname } from 'node:os'
import { backupPaths } from '../format/layout.js'
import { type Marker, serializeMarker } from '../format/marker.js'
import { regardless } from '../stores/stopping.js'
import type { Store } from '../stores/store.js'
import type { Run } from './run.js'
import { writeText } from './write-text.js'

/** Says whose the folder of a backup is, before anything else of it is written. */
export async function markBackup(run: Run, kind: Marker['kind']): Promise<void> {
  await writeMarker(run.target, run.backupId, {
    instance: run.journal.instance,
    operation: run.id,
    kind,
    host: hostname(),
    since: run.startedAt.toISOString(),
  })
}

export async function writeMarker(target: Store, backupId: string, marker: Marker): Promise<void> {
  await writeText(target, `${backupId}/${backupPaths.marker}`, serializeMarker(marker))
}

/** After the commit. One that stays does no harm: the next sweep removes it. */
export async function unmarkBackup(run: Run): Promise<void> {
  try {
    await regardless(() => run.target.remove([`${run.backupId}/${backupPaths.marker}`]))
  } catch (error) {
    run.log.warn({ err: error }, 'the marker of a backup that is complete could not be removed')
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { isServiceError, ServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { proveFiles } from './copy-files.js'
import { Findings } from './findings.js'
import type { Flaw, VerifyRequest } from './operation.js'
import { PresentFiles } from './present-files.js'
import type { Run } from './run.js'
import { surveyBackup } from './survey.js'
import type { Verdicts } from './verdicts.js'
import { verifyParts } from './verify-parts.js'

/** Failures looked at at once. */
const perPage = 256

/**
 * A verify, as a list of steps; it changes nothing at the target. Says `completed` only if nothing is wrong.
 *
 * @throws INTEGRITY where something is; the verdict is on record then. Anything else means that there is no verdict.
 */
export async function runVerify(
  run: Run,
  { level }: VerifyRequest,
  verdicts: Pick<Verdicts, 'keep'>,
): Promise<'completed'> {
  const { tracker } = run
  tracker.enter('reading')
  const findings = new Findings(run, level)
  const present = new PresentFiles(`${run.scratch.url}/present.db`)
  try {
    const { manifestSha256, hashed } = await surveyBackup(run, present, findings)
    if (level === 'quick') run.progress.add('files', tracker.totalFiles)
    else await readAll(run, level === 'deep' || !hashed, findings)
    if (level === 'deep') {
      tracker.enter('metadata')
      await verifyParts(run, present, findings)
    }
    run.progress.check()
    if (findings.count > 0) await refuseGone(run)
    const verdict = findings.conclude()
    const { backupId, id: operation } = run
    const at = new Date().toISOString()
    const target = tracker.snapshot().target
    verdicts.keep({ backupId, target, manifest: manifestSha256, level, verdict, at, operation }, findings.file)
  } finally {
    present.close()
  }
  if (findings.count > 0) throw new ServiceError('INTEGRITY', `${run.backupId} is damaged: ${describe(run)}`)
  return 'completed'
}

/** Every byte, in the threads. Where there are no hashes, whether Parquet files can be read as such is what is left to look at. */
async function readAll(run: Run, parquet: boolean, findings: Findings): Promise<void> {
  run.tracker.enter('checking')
  await proveFiles(run, `${run.backupId}/`, { counted: true, ...(parquet && { parquet: true }) })
  let last = 0
  for (let page = run.inventory.failures(perPage); page.length > 0; page = run.inventory.failures(perPage, last)) {
    for (const { path, code, message } of page) {
      findings.add(code === 'STORE_NOT_FOUND' ? 'missing' : 'damaged', { path, code, message })
    }
    last = page.at(-1)?.id ?? last
    await nextTurn()
  }
}

/** A backup that somebody deletes meanwhile is not damaged. */
async function refuseGone(run: Run): Promise<void> {
  try {
    await run.target.stat(`${run.backupId}/${backupPaths.manifest}`)
  } catch (error) {
    if (!isServiceError(error, 'STORE_NOT_FOUND')) throw error
    throw new ServiceError('NOT_FOUND', `${run.backupId} was deleted while it was verified`, { cause: error })
  }
}

/** `2 files damaged, 1 file missing` */
function describe({ tracker }: Run): string {
  return Object.entries(tracker.verify?.flaws ?? {})
    .filter(([, { files }]) => files > 0)
    .map(([flaw, { files }]) => `${files} ${files === 1 ? 'file' : 'files'} ${flaw as Flaw}`)
    .join(', ')
}

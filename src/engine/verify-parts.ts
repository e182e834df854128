import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fromFailure, toFailure } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { copySingle } from './copy-files.js'
import type { Findings } from './findings.js'
import type { PresentFile, PresentFiles } from './present-files.js'
import { type Run, storeNames } from './run.js'
import { isSourceFailure } from './transfer.js'

/** Looks into the SQLite files and the configuration, each in a copy of the operation's own: a look into a database may write beside it. */
export async function verifyParts(run: Run, present: PresentFiles, findings: Findings): Promise<void> {
  for (const files of present.below('metadata/')) {
    for (const file of files) if (file.path.endsWith('.db')) await verifyPart(run, file, findings, checkDatabase)
  }
  const size = present.sizeOf(backupPaths.config)
  if (size !== undefined) await verifyPart(run, { path: backupPaths.config, size }, findings, checkConfiguration)
}

/** What was found wrong before is not looked into. */
async function verifyPart(
  run: Run,
  { path, size }: PresentFile,
  findings: Findings,
  check: (run: Run, copy: string, path: string) => Promise<void>,
): Promise<void> {
  if (findings.concern(path)) return
  run.progress.check()
  const copy = basename(path)
  try {
    await copySingle(run, {
      from: run.targetStore,
      path: `${run.backupId}/${path}`,
      to: storeNames.state,
      target: `${run.scratchFolder}/${copy}`,
      size,
    })
    await check(run, `${run.scratch.url}/${copy}`, path)
  } catch (error) {
    const { code, message } = toFailure(error)
    const ofContent = code === 'SQLITE_INVALID' || code === 'CONFIG_INVALID'
    if (!ofContent && !isSourceFailure(toFailure(error))) throw error
    findings.add('damaged', { path, code, message })
  } finally {
    await run.scratch.remove([copy])
  }
}

async function checkDatabase(run: Run, copy: string, path: string): Promise<void> {
  const name = `${run.target.url}/${run.backupId}/${path}`
  const outcome = await run.pool.metadata({ kind: 'check', path: copy, name, thorough: true })
  if (!outcome.ok) throw fromFailure(outcome.failure)
}

/** One that parses and can't be loaded here was written on another machine, or leaves something to its environment. */
async function checkConfiguration(run: Run, copy: string): Promise<void> {
  const text = await readFile(copy, 'utf8')
  run.settings.parseConfiguration(text)
  try {
    run.settings.checkConfiguration(text)
  } catch (error) {
    run.tracker.warn(`the configuration in ${run.backupId} could not be loaded here: ${toFailure(error).message}`)
  }
}

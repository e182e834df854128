import { readFile } from 'node:fs/promises'
import { fromFailure, ServiceError } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { restoreConfiguration } from '../metadata/configuration.js'
import { copySingle } from './copy-files.js'
import type { RestoreRequest } from './operation.js'
import type { Owner } from './precheck.js'
import { type Run, storeNames } from './run.js'
import type { Part } from './selection.js'
import { allocated, checkSpace } from './space.js'

/** A database or configuration file of the backup, copied into the operation's folder and proven there. */
export interface StagedPart {
  readonly kind: 'metadata' | 'config'
  readonly from: string
  /** The live file that it is to replace. */
  readonly to: string
}

/** Fetches and proves `arc.db` and its like, and the configuration, before anything live is touched. */
export async function stageParts(run: Run, request: RestoreRequest, parts: readonly Part[]): Promise<StagedPart[]> {
  const staged: StagedPart[] = []
  if (request.restoreMetadata) {
    for (const { name, path } of run.settings.databases) {
      const from = await fetchPart(run, parts, backupPaths.metadata(name), `${name}.db`)
      if (from === null) {
        run.tracker.warn(`the backup has no ${name} database: ${path} stays as it is`)
        continue
      }
      const outcome = await run.pool.metadata({ kind: 'check', path: from, replaces: path })
      if (!outcome.ok) throw fromFailure(outcome.failure)
      staged.push({ kind: 'metadata', from, to: path })
    }
  }
  if (request.restoreConfig) {
    const from = await fetchPart(run, parts, backupPaths.config, 'arc.toml')
    const to = run.settings.configFile
    if (from === null) run.tracker.warn('the backup has no configuration: the file stays as it is')
    else if (to === null)
      throw new ServiceError('REQUEST_INVALID', 'cannot restore the configuration: no configuration file is loaded')
    else {
      run.settings.checkConfiguration(await readFile(from, 'utf8'))
      staged.push({ kind: 'config', from, to })
    }
  }
  return staged
}

/** After everything else. SQLite's own backup goes into the live file, so that an Arc that has it open stays safe. */
export async function installDatabases(
  run: Run,
  parts: readonly StagedPart[],
  owner: Owner | undefined,
): Promise<void> {
  for (const { kind, from, to } of parts) {
    if (kind !== 'metadata') continue
    run.tracker.enter('metadata')
    const outcome = await run.pool.metadata({ kind: 'restore', from, to, ...(owner && { owner }) })
    if (!outcome.ok) throw fromFailure(outcome.failure)
  }
}

export async function installConfiguration(run: Run, parts: readonly StagedPart[]): Promise<void> {
  for (const { kind, from, to } of parts) {
    if (kind !== 'config') continue
    await restoreConfiguration({ from, to })
    run.tracker.warn(`${to} was restored: it takes effect when Arc and arc-backup are started again`)
  }
}

async function fetchPart(run: Run, parts: readonly Part[], path: string, name: string): Promise<string | null> {
  const part = parts.find((candidate) => candidate.path === path)
  if (!part) return null
  const { sha256 } = part
  const from = `${run.backupId}/${path}`
  const size = part.size ?? (await run.target.stat(from)).size
  await checkSpace(run.scratch, { bytes: allocated(size), files: 1 })
  await copySingle(run, {
    from: run.targetStore,
    path: from,
    to: storeNames.state,
    target: `${run.scratchFolder}/${name}`,
    size,
    ...(sha256 !== undefined && { sha256 }),
  })
  return `${run.scratch.url}/${name}`
}

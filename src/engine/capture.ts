import { copyFile, lstat, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fromFailure, systemCode } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import type { Beyond } from '../metadata/beyond.js'
import { localFailure } from '../stores/local-failure.js'
import { copySingle } from './copy-files.js'
import { type Run, storeNames } from './run.js'
import { allocated, checkSpace } from './space.js'

/** A file that is in the backup beside the data. */
export interface CapturedFile {
  readonly kind: 'metadata' | 'config'
  /** `arc`, `iceberg-catalog`, …, or `arc.toml`. */
  readonly name: string
  /** Path inside the backup. */
  readonly path: string
  readonly size: number
  readonly sha256: string
}

/**
 * Arc's SQLite files, by SQLite's online backup into the operation's folder, checked there, and then copied like any file. One that was never
 * made is left out; one that exists and can't be copied fails the backup (Arc only warns).
 */
export async function captureDatabases(run: Run): Promise<CapturedFile[]> {
  const captured: CapturedFile[] = []
  for (const { name, path } of run.settings.databases) {
    run.progress.check()
    if (!(await exists(path))) {
      run.tracker.warn(`there is no ${path}: the backup has no ${name} database`)
      continue
    }
    const snapshot = `${name}.db`
    const to = `${run.scratch.url}/${snapshot}`
    const { size } = await stat(path)
    await checkSpace(run.scratch, { bytes: allocated(size), files: 1 })
    const outcome = await run.pool.metadata({ kind: 'snapshot', path, to, stop: run.progress.stopCell })
    run.progress.check()
    if (!outcome.ok) throw fromFailure(outcome.failure)
    warnOf(run, path, outcome.beyond)
    captured.push(await store(run, 'metadata', name, snapshot, backupPaths.metadata(name)))
  }
  return captured
}

function warnOf({ tracker }: Run, path: string, { encrypted, coldFiles }: Partial<Beyond> = {}): void {
  if (encrypted) {
    tracker.warn(`${path} has values that can only be read with Arc's ARC_ENCRYPTION_KEY, which no backup holds`)
  }
  if (coldFiles) {
    tracker.warn(`${coldFiles} files of which ${path} says that they are in Arc's cold tier are in no backup`)
  }
}

/** The configuration file that was loaded, wherever it lies. */
export async function captureConfiguration(run: Run): Promise<CapturedFile[]> {
  const file = run.settings.configFile
  if (file === null) {
    run.tracker.warn('no configuration file was loaded: the backup has none')
    return []
  }
  try {
    await copyFile(file, `${run.scratch.url}/arc.toml`)
  } catch (error) {
    throw localFailure(error, 'read', file, dirname(file))
  }
  return [await store(run, 'config', 'arc.toml', 'arc.toml', backupPaths.config)]
}

async function store(
  run: Run,
  kind: CapturedFile['kind'],
  name: string,
  scratch: string,
  path: string,
): Promise<CapturedFile> {
  const { size } = await stat(`${run.scratch.url}/${scratch}`)
  await checkSpace(run.target, { bytes: allocated(size), files: 1 })
  const { sha256 } = await copySingle(run, {
    from: storeNames.state,
    path: `${run.scratchFolder}/${scratch}`,
    to: run.targetStore,
    target: `${run.backupId}/${path}`,
    size,
  })
  return { kind, name, path, size, sha256 }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw localFailure(error, 'read', path, dirname(path))
  }
}

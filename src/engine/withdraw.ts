import { fromFailure } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import { type CutEntry, cutEntries } from '../format/sidecar.js'
import { pathsOf } from './batch.js'
import type { Census } from './census.js'
import type { StoredBatch } from './inventory.js'
import type { Report, Tally } from './report.js'
import type { Run } from './run.js'

/**
 * Takes files of a batch out of the backup again: off the record first, so that a death in between leaves a file that nobody claims, then out of the
 * counts and the target.
 *
 * @param out paths of files that are done
 */
export async function withdraw(run: Run, census: Census, batch: StoredBatch, out: ReadonlySet<string>): Promise<void> {
  const paths = pathsOf(batch)
  const done = batch.done.map((was, index) => (out.has(paths[index] ?? '') ? 0 : was))
  const lines = run.inventory.linesOf(batch.id)
  const files = cutEntries(lines.files, (path) => out.has(path))
  const others = cutEntries(lines.others, (path) => out.has(path.slice(backupPaths.data.length)))
  run.inventory.record(batch, { done, failures: [], files: files.rest, others: others.rest })
  census.add(negative(files.cut, others.cut))
  run.progress.add('files', -out.size)
  for (const { size_bytes } of [...files.cut, ...others.cut]) run.progress.add('bytes', -size_bytes)
  run.tracker.totalFiles -= out.size
  for (const [index, path] of paths.entries()) if (out.has(path)) run.tracker.totalBytes -= batch.sizes[index] ?? 0
  const targets = [...out].map((path) => `${run.backupId}/${backupPaths.data}${path}`)
  const { fatal } = await run.pool.transfer({ kind: 'remove', store: run.targetStore, paths: targets.join('\0') })
  if (fatal) throw fromFailure(fatal)
}

/** What the threads had reported of these files, with the opposite sign. None is a schema anchor or a state file: those are in no partition. */
function negative(files: readonly CutEntry[], others: readonly CutEntry[]): Report {
  const tallies = files.map(
    ({ database = '', measurement = '', size_bytes }): Tally => ({
      database,
      measurement,
      files: -1,
      bytes: -size_bytes,
    }),
  )
  const entries = -files.length - others.length
  const reused = [...files, ...others].filter(({ hashed_at }) => hashed_at !== undefined)
  const reusedBytes = reused.reduce((sum, { size_bytes }) => sum - size_bytes, 0)
  return {
    tallies,
    prints: [],
    states: [],
    reread: [],
    entries,
    reusedFiles: -reused.length,
    reusedBytes,
    anchors: 0,
    anchorBytes: 0,
    compactionStates: 0,
    files: '',
    others: '',
  }
}

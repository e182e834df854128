import { backupPaths } from '../format/layout.js'
import { copySingle } from './copy-files.js'
import { type Run, storeNames } from './run.js'

/** The list of files of a backup, on this machine, as its manifest vouches for it. */
export interface FetchedList {
  readonly file: string
  /** Bytes. */
  readonly size: number
}

/** Copies it into a folder of the operation's own. @throws INTEGRITY where it is another, and what the store fails with */
export async function fetchList(run: Run, backupId: string, sha256: string, folder: string): Promise<FetchedList> {
  const [path, name] = [`${backupId}/${backupPaths.sidecar}`, `${folder}/${backupPaths.sidecar}`]
  const { size } = await run.target.stat(path)
  await run.scratch.remove([name])
  const target = `${run.scratchFolder}/${name}`
  await copySingle(run, { from: run.targetStore, path, to: storeNames.state, target, size, sha256 })
  return { file: `${run.scratch.url}/${name}`, size }
}

/** Where parts of a list begin that a thread reads in one go: about 3,000 entries each. */
export function* partsOf(size: number, bytes = 1 << 20): Generator<{ start: number; end: number }, void, undefined> {
  for (let start = 0; start < size; start += bytes) yield { start, end: start + bytes }
}

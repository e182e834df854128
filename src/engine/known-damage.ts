import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { systemCode } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import type { Verdicts } from './verdicts.js'

/** Where more files than that are damaged, the place is not trusted with any. */
const mostFiles = 10_000

/**
 * What verifies have found damaged at a target. On local disk backups share their unchanged files, so damage that was found in one may be damage in any other; but only
 * in a file that was hashed before, because what was written since is another file.
 */
export interface KnownDamage {
  /** Files that were hashed before that are not trusted, whichever they are (ms since the epoch). */
  readonly all: number
  /** The same for single files, by their storage path. */
  readonly files: ReadonlyMap<string, number>
}

/** @param since what was hashed before that is of no interest (ms since the epoch) */
export async function readKnownDamage(
  verdicts: Pick<Verdicts, 'damaged' | 'findingsOf'>,
  target: string,
  since: number,
): Promise<KnownDamage> {
  let all = 0
  const files = new Map<string, number>()
  for (const { at, operation } of verdicts.damaged(target, new Date(since).toISOString())) {
    const found = Date.parse(at)
    const paths = await damagedIn(verdicts.findingsOf(operation), mostFiles - files.size)
    if (paths === null) all = Math.max(all, found)
    else for (const path of paths) files.set(path, Math.max(files.get(path) ?? 0, found))
  }
  return { all, files }
}

/** Null where it can't be told file by file. */
async function damagedIn(findings: string, most: number): Promise<Set<string> | null> {
  const paths = new Set<string>()
  try {
    for await (const line of createInterface({
      input: createReadStream(findings),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      const { flaw, path } = JSON.parse(line) as { flaw: string; path: string }
      // Without them there was nothing to hold the files against.
      if (path === backupPaths.manifest || path === backupPaths.sidecar) return null
      if (flaw === 'damaged' && path.startsWith(backupPaths.data)) paths.add(path.slice(backupPaths.data.length))
      if (paths.size > most) return null
    }
  } catch (error) {
    if (systemCode(error) === undefined && !(error instanceof SyntaxError)) throw error
    return null
  }
  return paths
}

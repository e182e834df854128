import type { Failure } from '../errors.js'
import { backupPaths } from '../format/layout.js'
import type { SidecarEntry } from '../format/sidecar.js'
import { entriesIn } from './sidecar-lines.js'

/** Entries of one run: a folder with a million files must not be read whole for each batch of them. */
const mostEntries = 512

/**
 * Where in a list of files those of each folder are: runs of entries that follow each other and lie in one folder. Columns, not objects: there may be a run
 * for every file.
 */
export interface Runs {
  /** Storage paths up to and with the last slash, joined by NUL. */
  readonly folders: string
  /** Least and greatest name in each run, joined by NUL. */
  readonly least: string
  readonly greatest: string
  /** First byte of each run, and the first one after it. */
  readonly starts: Float64Array
  readonly ends: Float64Array
}

/** Finds the runs of a part of a list of files on this machine (bytes). */
export interface IndexTask {
  readonly kind: 'index'
  readonly file: string
  readonly start: number
  readonly end: number
}

/** A failure as a value: its class and code would be lost at the thread boundary. */
export type IndexOutcome = { readonly runs: Runs } | { readonly failure: Failure }

/** The runs of the lines that begin in these bytes of the file. Blocks its thread. @throws MANIFEST_INVALID, PATH_UNSAFE */
export function findRuns(file: string, start: number, end: number): Runs {
  const [folders, least, greatest]: [string[], string[], string[]] = [[], [], []]
  const [starts, ends]: [number[], number[]] = [[], []]
  let count = 0
  for (const line of entriesIn(file, start, end)) {
    const path = storagePathOf(line.entry)
    if (path === null) continue
    const slash = path.lastIndexOf('/') + 1
    const [folder, name] = [path.slice(0, slash), path.slice(slash)]
    const last = starts.length - 1
    if (count < mostEntries && folders[last] === folder && ends[last] === line.start - 1) {
      if (name < (least[last] ?? '')) least[last] = name
      if (name > (greatest[last] ?? '')) greatest[last] = name
      ends[last] = line.end
      count += 1
      continue
    }
    folders.push(folder)
    least.push(name)
    greatest.push(name)
    starts.push(line.start)
    ends.push(line.end)
    count = 1
  }
  return {
    folders: folders.join('\0'),
    least: least.join('\0'),
    greatest: greatest.join('\0'),
    starts: Float64Array.from(starts),
    ends: Float64Array.from(ends),
  }
}

/** Of the file that an entry is about; null for one that is not from the storage. */
export function storagePathOf({ list, path }: SidecarEntry): string | null {
  if (list === 'files') return path
  return path.startsWith(backupPaths.data) ? path.slice(backupPaths.data.length) : null
}

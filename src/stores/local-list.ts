import { type Dirent, lstatSync, readdirSync, statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fastGlob from 'fast-glob'
import { ServiceError, systemCode } from '../errors.js'
import { localFailure } from './local-failure.js'
import type { ListOptions, StoredFile } from './store.js'

/**
 * Folders per call of fast-glob. Its stream has no back-pressure (with a stopped consumer it walked 300,000 files and held every name), so
 * the walk hands it a bounded set of folders at a time; 32 at once cost 3.8 µs a file, one at a time 5.5 µs.
 */
const foldersPerCall = 32
/** `lstat` calls between two turns of the event loop: 256 are about 1 ms. */
const statsPerTurn = 256

/** Every regular file below some folders of `root`; see `Store.list`. */
export async function* listFolders(
  root: string,
  from: readonly string[],
  options: ListOptions = {},
): AsyncGenerator<StoredFile, void, undefined> {
  const [first] = from
  if (first !== undefined && from.length === 1) checkFolder(root, first)
  const folders = [...from]
  let stats = 0
  while (folders.length > 0) {
    const set = folders.splice(-foldersPerCall)
    for (const entry of await readFolders(root, set)) {
      const folder = entry.dirent.isDirectory()
      if (!folder && !entry.dirent.isFile()) continue
      if (options.exclude?.(folder ? `${entry.path}/` : entry.path)) continue
      if (folder) {
        if (options.depth === 1) yield { path: entry.path, size: 0, mtimeNs: 0n, folder: true }
        else folders.push(entry.path)
        continue
      }
      stats += 1
      if (stats % statsPerTurn === 0) await nextTurn()
      const file = options.namesOnly ? { path: entry.path, size: 0, mtimeNs: 0n } : lookAt(root, entry.path)
      if (file) yield file
    }
  }
}

/** One level of some folders without a turn of the event loop: 3 µs a file, where fast-glob takes 8. A folder that is gone has no files. */
export function listLevel(root: string, folders: readonly string[], options: ListOptions): StoredFile[] {
  const found: StoredFile[] = []
  for (const folder of folders) {
    const prefix = folder === '' ? '' : `${folder}/`
    for (const entry of readFolder(root, folder)) {
      const path = prefix + entry.name
      const isFolder = entry.isDirectory()
      if (!isFolder && !entry.isFile()) continue
      if (options.exclude?.(isFolder ? `${path}/` : path)) continue
      if (isFolder) found.push({ path, size: 0, mtimeNs: 0n, folder: true })
      else {
        const file = options.namesOnly ? { path, size: 0, mtimeNs: 0n } : lookAt(root, path)
        if (file) found.push(file)
      }
    }
  }
  return found
}

/** Is there nothing in this folder but plain files and folders, as far as its own entries tell? One that is gone has nothing in it. */
export function hasOnlyFiles(root: string, folder: string): boolean {
  return readFolder(root, folder).every((entry) => entry.isFile() || entry.isDirectory())
}

function readFolder(root: string, folder: string): Dirent[] {
  try {
    const entries = readdirSync(folder === '' ? root : `${root}/${folder}`, { withFileTypes: true })
    // In the order of names, neighbours in one list of files are neighbours in the next: an incremental backup reads less of it.
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw localFailure(error, 'list', folder, root)
  }
}

function checkFolder(root: string, prefix: string): void {
  const start = prefix === '' ? root : `${root}/${prefix}`
  try {
    if (statSync(start).isDirectory()) return
    throw new ServiceError('STORE_NOT_FOUND', `cannot list ${start}: it is a file, not a folder`, { verb: 'list' })
  } catch (error) {
    throw localFailure(error, 'list', prefix, root)
  }
}

async function readFolders(root: string, folders: readonly string[]): Promise<fastGlob.Entry[]> {
  const patterns = folders.map((folder) => (folder === '' ? '*' : `${fastGlob.escapePath(folder)}/*`))
  try {
    return (await fastGlob.glob(patterns, {
      cwd: root,
      dot: true,
      followSymbolicLinks: false,
      unique: false,
      onlyFiles: false,
      objectMode: true,
    })) as unknown as fastGlob.Entry[]
  } catch (error) {
    throw localFailure(error, 'list', folders.length === 1 ? (folders[0] ?? '') : `${folders[0]} and others`, root)
  }
}

/** Undefined for a file that is gone by now, or is no regular file any more. */
function lookAt(root: string, path: string): StoredFile | undefined {
  try {
    const stat = lstatSync(`${root}/${path}`, { bigint: true })
    if (!stat.isFile()) return undefined
    return { path, size: Number(stat.size), mtimeNs: stat.mtimeNs }
  } catch (error) {
    // A name that is not UTF-8 was decoded to U+FFFD and can't be found under it: it is reported, so that a backup can name the gap.
    if (systemCode(error) === 'ENOENT') return path.includes('�') ? { path, size: 0, mtimeNs: 0n } : undefined
    throw localFailure(error, 'stat', path, root)
  }
}

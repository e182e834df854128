import { lstatSync, renameSync, rmdirSync, unlinkSync } from 'node:fs'
import { open, rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { ServiceError, systemCode } from '../errors.js'
import { givenBack } from './blocks.js'
import { copyLocalFile } from './local-copy.js'
import { localFailure, unwritable, type Verb } from './local-failure.js'
import { linkLocalFile } from './local-link.js'
import { hasOnlyFiles, listFolders, listLevel } from './local-list.js'
import { streamFile } from './local-read.js'
import { canShareBlocks } from './local-sharing.js'
import { syncTree } from './local-sync.js'
import { changeTimes } from './local-times.js'
import { readLocalFile, writeLocalFile } from './local-whole.js'
import { checkPath } from './path.js'
import type {
  Content,
  Copied,
  CopyOptions,
  Duplicated,
  ListOptions,
  Placement,
  ReadOptions,
  Recorded,
  Space,
  Store,
  StoredFile,
  SyncOptions,
  WriteOptions,
} from './store.js'

/** Files below one folder of this machine. New folders are 0700, new files 0600. */
export class LocalStore implements Store {
  readonly url: string

  /** @param root absolute path of the folder; it is made by the first write, not here. */
  constructor(root: string) {
    this.url = root
  }

  list(prefix: string | readonly string[], options?: ListOptions): AsyncIterable<StoredFile> {
    const folders = typeof prefix === 'string' ? [prefix] : prefix
    for (const folder of folders) if (folder !== '') checkPath(folder)
    return listFolders(this.url, folders, options)
  }

  listLevel(folders: readonly string[], options: ListOptions = {}): StoredFile[] {
    for (const folder of folders) if (folder !== '') checkPath(folder)
    return listLevel(this.url, folders, options)
  }

  folderTimes(folders: readonly string[]): BigInt64Array | undefined {
    for (const folder of folders) if (folder !== '') checkPath(folder)
    return changeTimes(this.url, folders)
  }

  async stat(path: string): Promise<StoredFile> {
    const name = this.#full(path)
    return this.#try('stat', path, () => {
      const stat = lstatSync(name, { bigint: true })
      if (stat.isFile()) return { path, size: Number(stat.size), mtimeNs: stat.mtimeNs }
      const code = stat.isDirectory() ? 'STORE_NOT_FOUND' : 'PATH_UNSAFE'
      const isFolder = stat.isDirectory() && { isFolder: true }
      throw new ServiceError(code, `cannot stat ${name}: it is not a regular file`, { verb: 'stat', path, ...isFolder })
    })
  }

  async read(path: string, options: ReadOptions = {}): Promise<Readable> {
    await this.stat(path)
    try {
      const file = await open(this.#full(path), 'r')
      return streamFile(file, options.start ?? 0, (error) => localFailure(error, 'read', path, this.url))
    } catch (error) {
      throw localFailure(error, 'read', path, this.url)
    }
  }

  async readSmall(path: string): Promise<Content> {
    return readLocalFile({ root: this.url, path: checkPath(path) })
  }

  async writeSmall(path: string, bytes: Buffer, options: Omit<WriteOptions, 'size'> = {}): Promise<StoredFile> {
    await writeLocalFile({ root: this.url, path: checkPath(path) }, [bytes], options)
    return { path, size: bytes.length, mtimeNs: options.mtimeNs ?? 0n }
  }

  async write(path: string, source: Readable, options: WriteOptions): Promise<StoredFile> {
    try {
      return { path, ...(await writeLocalFile({ root: this.url, path: checkPath(path) }, givenBack(source), options)) }
    } catch (error) {
      source.destroy()
      throw localFailure(error, 'write', path, this.url)
    }
  }

  async remove(paths: Iterable<string>): Promise<void> {
    const folders = new Set<string>()
    for (const path of paths) {
      if (path.endsWith('/')) {
        const name = this.#full(path.slice(0, -1))
        await rm(name, { recursive: true, force: true }).catch((error: unknown) => {
          throw localFailure(error, 'remove', path, this.url)
        })
        continue
      }
      const name = this.#full(path)
      this.#try('remove', path, () => ignoreAbsent(() => unlinkSync(name)))
      folders.add(dirname(path))
    }
    for (const folder of folders) this.#removeEmpty(folder)
  }

  async copy(from: Store, path: string, to: string, options: CopyOptions): Promise<Copied | undefined> {
    return this.copyNow(from, path, to, options)
  }

  copyNow(from: Store, path: string, to: string, options: CopyOptions): Copied | undefined {
    if (!(from instanceof LocalStore)) return undefined
    return copyLocalFile({ root: from.url, path: checkPath(path) }, { root: this.url, path: checkPath(to) }, options)
  }

  async sharesBlocks(
    from: Store,
    path: string,
    spare: string,
    options: Pick<Placement, 'owner'> = {},
  ): Promise<boolean> {
    if (!(from instanceof LocalStore)) return false
    const [source, target] = [
      { root: from.url, path: checkPath(path) },
      { root: this.url, path: checkPath(spare) },
    ]
    // One that a kill has left.
    await this.remove([spare])
    try {
      return await canShareBlocks(source, target, options)
    } finally {
      await this.remove([spare])
    }
  }

  async duplicate(path: string, to: string, { size }: Recorded): Promise<Duplicated | undefined> {
    const linked = linkLocalFile(
      { root: this.url, path: checkPath(path) },
      { root: this.url, path: checkPath(to) },
      size,
    )
    return linked ? {} : undefined
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [this.#full(from), this.#full(to)]
    this.#try('rename', from, () => {
      try {
        renameSync(source, target)
      } catch (error) {
        if (systemCode(error) === 'EISDIR') throw unwritable(to, this.url, 'a folder has this name', error)
        throw error
      }
    })
  }

  async sync({ below = '', ahead }: SyncOptions = {}): Promise<void> {
    try {
      await syncTree(this.url, below, ahead === true)
    } catch (error) {
      throw localFailure(error, 'sync', '.', this.url)
    }
  }

  async inspectFolder(folder: string): Promise<void> {
    for (let slash = folder.indexOf('/'); slash !== -1; slash = folder.indexOf('/', slash + 1)) {
      const name = this.#full(folder.slice(0, slash))
      const found = this.#try('stat', folder, () => lstatSync(name, { throwIfNoEntry: false }))
      if (!found) return
      if (!found.isDirectory()) {
        throw new ServiceError('PATH_UNSAFE', `cannot use ${name}: it is not a real folder`, {
          verb: 'stat',
          path: folder,
        })
      }
    }
  }

  hasOnlyFiles(folder: string): boolean {
    return hasOnlyFiles(this.url, folder === '' ? '' : checkPath(folder.slice(0, -1)))
  }

  async space(): Promise<Space> {
    // The root may not exist before the first write: its nearest existing parent is on the same file system.
    for (let folder = this.url; ; folder = dirname(folder)) {
      try {
        const found = await statfs(folder)
        return {
          bytes: found.bavail * found.bsize,
          capacity: found.blocks * found.bsize,
          files: found.files === 0 ? Number.POSITIVE_INFINITY : found.ffree,
        }
      } catch (error) {
        if (systemCode(error) !== 'ENOENT' || folder === dirname(folder))
          throw localFailure(error, 'stat', '.', this.url)
      }
    }
  }

  async close(): Promise<void> {}

  /** Folders left empty go too, up to but without the root. */
  #removeEmpty(folder: string): void {
    for (let empty = folder; empty !== '.'; empty = dirname(empty)) {
      try {
        rmdirSync(`${this.url}/${empty}`)
      } catch {
        return
      }
    }
  }

  #full(path: string): string {
    return `${this.url}/${checkPath(path)}`
  }

  #try<T>(verb: Verb, path: string, action: () => T): T {
    try {
      return action()
    } catch (error) {
      throw localFailure(error, verb, path, this.url)
    }
  }
}

function ignoreAbsent(action: () => void): void {
  try {
    action()
  } catch (error) {
    // What no path can lead to is not there either.
    if (!['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) throw error
  }
}

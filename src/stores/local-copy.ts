import { createHash, hash } from 'node:crypto'
import {
  chownSync,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { isServiceError, ServiceError, systemCode } from '../errors.js'
import { shareBlocks } from './local-clone.js'
import { localFailure, unwritable } from './local-failure.js'
import type { Copied, CopyOptions, Placement, Seen } from './store.js'

/** One file below a root on this machine. */
export interface LocalPath {
  readonly root: string
  readonly path: string
}

/**
 * One buffer a thread, used again for every file: read, hash and write while the bytes are still in the processor's cache. Streams cost two to
 * four times as much on small files.
 */
const block = 1 << 20
let buffer: Buffer | undefined

/**
 * Copies one file on this machine, hashing every byte on its way. Blocks its thread: for worker threads.
 * The source must not change while it is read (SOURCE_CHANGED); a failed copy leaves nothing behind under either name.
 */
export function copyLocalFile(from: LocalPath, to: LocalPath, options: CopyOptions): Copied {
  const source = openSource(from)
  try {
    const before = options.seen ?? recordedOf(options) ?? lookAt(source, from)
    const { size } = before
    if (options.size !== undefined && options.size !== size) throw wrongSize(from, options.size, size)
    const name = options.direct ? to.path : temporaryName(to.path)
    const target = openTarget(to, name, options)
    let done = false
    try {
      const shared = options.share === true && share(source, target, to)
      // From the moment that it shares the blocks the source may change.
      if (shared && options.sha256 === undefined) checkUnchanged(source, before, from)
      const sha256 = shared
        ? move(target, null, size, from, to, options)
        : move(source, target, size, from, to, options)
      if (options.sha256 === undefined) {
        if (!shared) checkUnchanged(source, before, from)
      } else if (options.sha256 !== sha256) {
        throw new ServiceError(
          'INTEGRITY',
          `cannot copy ${full(from)}: its SHA-256 is ${sha256}, ${options.sha256} was expected`,
          {
            verb: 'read',
            path: from.path,
            expected: options.sha256,
            found: sha256,
          },
        )
      }
      finish(target, to, options)
      done = true
      closeSync(target)
      if (!options.direct) renameTo(to, name)
      return { size, sha256, sourceMtimeNs: before.mtimeNs }
    } catch (error) {
      if (!done) closeSync(target)
      removeQuietly(`${to.root}/${name}`)
      const found = isServiceError(error, 'SOURCE_CHANGED') && recordedOf(options) ? lookAt(source, from).size : size
      throw found === size ? error : wrongSize(from, size, found)
    }
  } finally {
    closeSync(source)
  }
}

/** Where size and hash are known, what is read tells all: two looks at each of many small files take as long as reading them. */
function recordedOf({ size, sha256 }: CopyOptions): Seen | undefined {
  return size !== undefined && sha256 !== undefined ? { size, mtimeNs: 0n } : undefined
}

function wrongSize(from: LocalPath, expected: number, found: number): ServiceError {
  const message = `cannot copy ${full(from)}: it has ${found} bytes, ${expected} were expected`
  return new ServiceError('INTEGRITY', message, { verb: 'read', path: from.path, expected, found })
}

/** What a source is before it is read. @throws PATH_UNSAFE */
function lookAt(source: number, from: LocalPath): Seen {
  const stat = fstatSync(source, { bigint: true })
  if (stat.isFile()) return { size: Number(stat.size), mtimeNs: stat.mtimeNs }
  throw new ServiceError('PATH_UNSAFE', `cannot read ${full(from)}: it is not a regular file`, {
    verb: 'read',
    path: from.path,
  })
}

/**
 * Looks with floating-point numbers: as bigints a look costs 3 µs more, and a system's clock ticks in milliseconds where these are exact to a quarter of a
 * microsecond.
 *
 * @throws SOURCE_CHANGED
 */
function checkUnchanged(source: number, { size, mtimeNs }: Seen, from: LocalPath): void {
  const after = fstatSync(source)
  const expectedMs = Number(mtimeNs / 1_000_000n) + Number(mtimeNs % 1_000_000n) / 1e6
  if (after.size !== size || Math.abs(after.mtimeMs - expectedMs) > 0.0005 || !after.isFile()) throw changed(from)
}

function share(source: number, target: number, to: LocalPath): boolean {
  try {
    return shareBlocks(source, target)
  } catch (error) {
    throw localFailure(error, 'write', to.path, to.root)
  }
}

/** Moves exactly `size` bytes, or only reads them where they are in their place, and returns their SHA-256 (hex). */
function move(
  source: number,
  target: number | null,
  size: number,
  from: LocalPath,
  to: LocalPath,
  options: CopyOptions,
): string {
  buffer ??= Buffer.allocUnsafeSlow(block)
  // Asking for one byte more than there should be finds a file that grew, without a further call for a small one.
  const first = read(source, buffer, from)
  if (first < block) {
    if (first !== size) throw changed(from)
    const bytes = buffer.subarray(0, first)
    if (target !== null) write(target, bytes, to)
    options.onBytes?.(first)
    return hash('sha256', bytes, 'hex')
  }
  const sha256 = createHash('sha256')
  let total = 0
  for (let count = first; count > 0; count = read(source, buffer, from)) {
    const bytes = count === block ? buffer : buffer.subarray(0, count)
    sha256.update(bytes)
    if (target !== null) write(target, bytes, to)
    total += count
    if (total > size) throw changed(from)
    options.onBytes?.(count)
  }
  if (total !== size) throw changed(from)
  return sha256.digest('hex')
}

function read(source: number, into: Buffer, from: LocalPath): number {
  try {
    return readSync(source, into, 0, into.length, null)
  } catch (error) {
    throw localFailure(error, 'read', from.path, from.root)
  }
}

export function write(target: number, bytes: Buffer, to: LocalPath): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(target, bytes, done)
  } catch (error) {
    throw localFailure(error, 'write', to.path, to.root)
  }
}

export function openSource(from: LocalPath): number {
  try {
    // O_NONBLOCK: opening a named pipe must not hang the thread.
    return openSync(`${from.root}/${from.path}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw localFailure(error, 'read', from.path, from.root)
  }
}

/** A new file `name` for the path `to`, with the folders that it needs. */
export function openTarget(to: LocalPath, name: string, options: Pick<CopyOptions, 'owner' | 'share'>): number {
  const path = `${to.root}/${name}`
  // What shares the source's blocks is read.
  const access = options.share ? constants.O_RDWR : constants.O_WRONLY
  const flags = access | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  try {
    try {
      return openSync(path, flags, 0o600)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      makeFolders(to.root, dirname(name), options.owner)
      return openSync(path, flags, 0o600)
    }
  } catch (error) {
    if (systemCode(error) === 'EEXIST' && lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw unwritable(to.path, to.root, 'there is a folder of this name', error)
    }
    throw localFailure(error, 'write', to.path, to.root)
  }
}

/** Makes what is missing of `folder` below `root`, 0700, owned as the files in it will be. */
export function makeFolders(root: string, folder: string, owner?: Placement['owner']): void {
  const first = mkdirSync(folder === '.' ? root : `${root}/${folder}`, { recursive: true, mode: 0o700 })
  if (first === undefined || owner === undefined) return
  for (let made = `${root}/${folder}`; made.length >= first.length; made = dirname(made))
    chownSync(made, owner.uid, owner.gid)
}

/** Owner and time, as asked for. */
export function finish(target: number, to: LocalPath, options: Placement): void {
  try {
    if (options.owner) fchownSync(target, options.owner.uid, options.owner.gid)
    if (options.mtimeNs !== undefined) {
      const seconds = Number(options.mtimeNs) / 1e9
      futimesSync(target, seconds, seconds)
    }
  } catch (error) {
    throw localFailure(error, 'write', to.path, to.root)
  }
}

function renameTo(to: LocalPath, name: string): void {
  try {
    renameSync(`${to.root}/${name}`, `${to.root}/${to.path}`)
  } catch (error) {
    throw localFailure(error, 'write', to.path, to.root)
  }
}

/** A hidden name beside `path`; Arc and our own listing of Arc's data leave hidden files out. */
export function temporaryName(path: string): string {
  const folder = dirname(path)
  const unique = `${process.pid}-${hash('sha256', `${basename(path)} ${process.hrtime.bigint()}`, 'hex').slice(0, 16)}`
  return `${folder === '.' ? '' : `${folder}/`}.arc-backup-${unique}.part`
}

export function removeQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // The failure that led here is the one to report.
  }
}

export function changed(from: LocalPath): ServiceError {
  return new ServiceError('SOURCE_CHANGED', `cannot copy ${full(from)}: it changed while it was read`, {
    verb: 'read',
    path: from.path,
  })
}

function full(file: LocalPath): string {
  return `${file.root}/${file.path}`
}

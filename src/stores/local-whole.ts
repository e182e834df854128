import { type BigIntStats, closeSync, fstatSync, fsync, linkSync, open, readSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { ServiceError } from '../errors.js'
import { lend } from './blocks.js'
import {
  changed,
  finish,
  type LocalPath,
  openSource,
  openTarget,
  removeQuietly,
  temporaryName,
  write,
} from './local-copy.js'
import { localFailure } from './local-failure.js'
import { type Content, smallFile, type WriteOptions } from './store.js'

// Reading and writing one side alone: the other is an object store.

const syncFile = promisify(fsync)
const openFile = promisify(open)

/** A small file in one go, as it was at one moment: SOURCE_CHANGED where it is being written. */
export function readLocalFile(from: LocalPath): Content {
  const source = openSource(from)
  try {
    const before = fstatSync(source, { bigint: true })
    if (!before.isFile()) {
      const message = `cannot read ${from.root}/${from.path}: it is not a regular file`
      throw new ServiceError('PATH_UNSAFE', message, { verb: 'read', path: from.path })
    }
    if (before.size > smallFile) throw changed(from)
    const size = Number(before.size)
    const buffer = lend(size + 1)
    let bytes = 0
    for (let count = -1; count !== 0 && bytes <= size; bytes += count) count = read(source, buffer, bytes, from)
    const after = fstatSync(source, { bigint: true })
    if (bytes !== size || after.mtimeNs !== before.mtimeNs || after.size !== before.size) throw changed(from)
    return { bytes: buffer.subarray(0, size), mtimeNs: before.mtimeNs }
  } finally {
    closeSync(source)
  }
}

/**
 * Writes what `source` gives: under a temporary name first, unless `direct`; durable afterwards, unless `bulk`. A failure leaves nothing.
 *
 * @returns what was written: what is there afterwards may be another's, or nothing any more
 */
export async function writeLocalFile(
  to: LocalPath,
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  options: Omit<WriteOptions, 'size'>,
): Promise<{ size: number; mtimeNs: bigint }> {
  const name = options.direct ? to.path : temporaryName(to.path)
  const target = openTarget(to, name, options)
  let written: BigIntStats | null = null
  try {
    for await (const bytes of source) write(target, bytes, to)
    finish(target, to, options)
    if (!options.bulk) await syncFile(target)
    written = fstatSync(target, { bigint: true })
  } finally {
    closeSync(target)
    if (!written) removeQuietly(`${to.root}/${name}`)
  }
  if (!options.direct) place(to, name, options.ifAbsent === true)
  if (!options.bulk) await syncFolder(`${to.root}/${dirname(to.path)}`)
  return { size: Number(written.size), mtimeNs: written.mtimeNs }
}

function place(to: LocalPath, name: string, ifAbsent: boolean): void {
  const [temporary, path] = [`${to.root}/${name}`, `${to.root}/${to.path}`]
  try {
    if (ifAbsent) linkSync(temporary, path)
    else renameSync(temporary, path)
  } catch (error) {
    throw localFailure(error, 'write', to.path, to.root)
  } finally {
    removeQuietly(temporary)
  }
}

function read(source: number, into: Buffer, at: number, from: LocalPath): number {
  try {
    return readSync(source, into, at, into.length - at, null)
  } catch (error) {
    throw localFailure(error, 'read', from.path, from.root)
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await openFile(folder, 'r')
  try {
    await syncFile(handle)
  } finally {
    closeSync(handle)
  }
}

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { readLine, type SidecarEntry } from '../format/sidecar.js'

/** Bytes of one read. */
const blockSize = 1 << 20
/** A path has at most 4,096 bytes, and none takes more than six characters in JSON. */
const longestLine = 64 << 10

/** An entry, and where its line is in the file. */
export interface Placed {
  readonly entry: SidecarEntry
  /** First byte of its line, and the first one after it. */
  readonly start: number
  readonly end: number
}

/**
 * Entries of a list of files, as `SidecarWriter` writes it, whose lines begin in these bytes of the file: parts that follow each other share no entry and miss
 * none. Blocks its thread: for worker threads.
 *
 * @throws MANIFEST_INVALID, PATH_UNSAFE
 */
export function* entriesIn(file: string, start: number, end: number): Generator<Placed, void, undefined> {
  for (const { bytes, at } of linesIn(file, start, end)) {
    const entry = readLine(bytes.toString())
    if (entry) yield { entry, start: at, end: at + bytes.length }
  }
}

function* linesIn(file: string, start: number, end: number): Generator<{ bytes: Buffer; at: number }, void, undefined> {
  const descriptor = openSync(file, 'r')
  try {
    const { size } = fstatSync(descriptor)
    const block = Buffer.allocUnsafe(Math.min(blockSize, size))
    // The byte before tells whether a line begins at `start`.
    let skips = start > 0
    let rest = Buffer.alloc(0)
    for (let position = Math.max(0, start - 1); position < size && position - rest.length < end; ) {
      const count = readSync(descriptor, block, 0, Math.min(block.length, Math.max(end - position, 4096)), position)
      if (count === 0) break
      const read = block.subarray(0, count)
      const bytes = rest.length === 0 ? read : Buffer.concat([rest, read])
      const base = position - rest.length
      position += count
      let from = 0
      for (let to = bytes.indexOf(10); to !== -1; to = bytes.indexOf(10, from)) {
        if (base + from >= end) return
        if (!skips) yield { bytes: bytes.subarray(from, to), at: base + from }
        skips = false
        from = to + 1
      }
      // What is longer than any entry is none: it is not kept.
      if (skips || bytes.length - from > longestLine) {
        skips = true
        rest = Buffer.alloc(0)
      } else rest = Buffer.from(bytes.subarray(from))
      if (position >= size && !skips && rest.length > 0 && position - rest.length < end) {
        yield { bytes: rest, at: position - rest.length }
      }
    }
  } finally {
    closeSync(descriptor)
  }
}

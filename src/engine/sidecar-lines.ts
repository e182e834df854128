import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { readLine, type SidecarEntry } from '../format/sidecar.js'

/** Bytes of one read. */
const blockSize = 1 << 20

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
    const block = Buffer.allocUnsafe(blockSize)
    let rest = Buffer.alloc(0)
    // The byte before tells whether a line begins at `start`.
    let skips = start > 0
    let at = skips ? start - 1 : start
    for (let position = at; position < size; ) {
      const count = readSync(descriptor, block, 0, Math.min(blockSize, Math.max(end - position, 4096)), position)
      position += count
      const bytes = rest.length === 0 ? block.subarray(0, count) : Buffer.concat([rest, block.subarray(0, count)])
      let from = 0
      for (let to = bytes.indexOf(10); to !== -1; to = bytes.indexOf(10, from)) {
        if (at >= end) return
        if (!skips) yield { bytes: bytes.subarray(from, to), at }
        skips = false
        at += to + 1 - from
        from = to + 1
      }
      if (at >= end || count === 0) return
      rest = Buffer.from(bytes.subarray(from))
    }
    if (!skips && rest.length > 0) yield { bytes: rest, at }
  } finally {
    closeSync(descriptor)
  }
}

import { Readable } from 'node:stream'
import { lend } from './blocks.js'
import type { Answer } from './http-answer.js'

/** Bytes of a block that a stream gives at most. */
const blockSize = 1 << 18

/**
 * An answer's body as a stream of blocks that their last reader may give back. It ends after every byte that the head announced, or it fails. Destroying it ends the connection.
 * @param fail what a failure of the connection is
 */
export function bodyOf(answer: Answer, fail: (error: unknown) => Error): Readable {
  const expected = lengthOf(answer) ?? Number.POSITIVE_INFINITY
  let [received, filled] = [0, 0]
  let block: Buffer | undefined
  const stream = new Readable({
    highWaterMark: blockSize,
    read: () => answer.resume(),
    destroy: (error, done) => {
      answer.destroy()
      done(error)
    },
  })
  // Who has not begun to read meets its failure then, and the process does not end of it.
  stream.on('error', () => {})
  const fill = (bytes: Buffer): boolean => {
    let more = true
    for (let at = 0; at < bytes.length; ) {
      // The last block is no longer than what is still to come.
      block ??= lend(Math.min(blockSize, expected - received))
      const count = bytes.copy(block, filled, at)
      at += count
      filled += count
      received += count
      if (filled < block.length) continue
      more = stream.push(block)
      block = undefined
      filled = 0
    }
    return more
  }
  answer.take(fill).then(
    () => {
      if (block) stream.push(block.subarray(0, filled))
      stream.push(null)
    },
    (error: unknown) => stream.destroy(fail(error)),
  )
  return stream
}

/**
 * An answer's body in one piece that its last reader may give back.
 * @param most bytes; what is longer is broken off
 * @param tooLong what that is
 */
export async function wholeOf(answer: Answer, most: number, tooLong: () => Error): Promise<Buffer> {
  const expected = lengthOf(answer)
  if (expected !== undefined && expected > most) {
    answer.destroy()
    throw tooLong()
  }
  if (expected === undefined) return collected(answer, most, tooLong)
  const bytes = lend(expected)
  let received = 0
  await answer.take((piece) => {
    received += piece.copy(bytes, received)
    return undefined
  })
  return bytes
}

async function collected(answer: Answer, most: number, tooLong: () => Error): Promise<Buffer> {
  const parts: Buffer[] = []
  let received = 0
  await answer.take((piece) => {
    received += piece.length
    if (received > most) answer.destroy(tooLong())
    else parts.push(Buffer.from(piece))
    return undefined
  })
  // The piece that was too much may have been the last one: then nothing was left to break off.
  if (received > most) throw tooLong()
  return Buffer.concat(parts)
}

/** Bytes that the head announced. */
export function lengthOf({ headers }: Answer): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

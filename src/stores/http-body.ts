import { Readable } from 'node:stream'
import { lend } from './blocks.js'
import type { Answer } from './http-answer.js'

/** Bytes of a block that a stream gives at most. */
const blockSize = 1 << 18

export interface BodyOptions {
  /** Bytes that the head announced: an end before them is a failure. */
  readonly expected?: number | undefined
  /** What an answer of fewer bytes is. */
  cutShort(received: number, expected: number): Error
  /** What a failure of the connection is. */
  fail(error: unknown): Error
}

/** An answer's body as a stream of blocks that their last reader may give back. Destroying it ends the connection. */
export function bodyOf(answer: Answer, { expected, cutShort, fail }: BodyOptions): Readable {
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
  const fill = (bytes: Buffer): boolean => {
    let more = true
    for (let at = 0; at < bytes.length; ) {
      // The last block is no longer than what is still to come.
      block ??= lend(Math.min(blockSize, Math.max((expected ?? blockSize) - received, bytes.length - at)))
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
      if (expected === undefined || received === expected) stream.push(null)
      else stream.destroy(cutShort(received, expected))
    },
    (error: unknown) => stream.destroy(fail(error)),
  )
  return stream
}

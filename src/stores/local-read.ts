import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { giveBack, lend } from './blocks.js'

/** Bytes that are read at a time. */
const blockSize = 1 << 18

/** An open file's bytes from `start` on, in blocks that their last reader may give back. Ends with the file closed. @param fail makes an error of what went wrong */
export function streamFile(file: FileHandle, start: number, fail: (error: unknown) => Error): Readable {
  let position = start
  return new Readable({
    highWaterMark: blockSize,
    read() {
      const block = lend(blockSize)
      file.read(block, 0, block.length, position).then(
        ({ bytesRead }) => {
          position += bytesRead
          if (bytesRead === block.length) this.push(block)
          else if (bytesRead > 0) this.push(block.subarray(0, bytesRead))
          else {
            giveBack(block)
            this.push(null)
          }
        },
        (error: unknown) => this.destroy(fail(error)),
      )
    },
    destroy(error, done) {
      // Resolves when the read that may be under way has ended.
      file.close().then(
        () => done(error),
        (failure: unknown) => done(error ?? fail(failure)),
      )
    },
  })
}

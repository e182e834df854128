import { Readable } from 'node:stream'
import { ServiceError } from '../errors.js'
import { lend } from './blocks.js'
import type { Answer } from './http-answer.js'
import { quote } from './path.js'
import type { S3Bucket } from './s3-bucket.js'
import { type Content, smallFile } from './store.js'

/** Bytes of a block that a stream gives. */
const blockSize = 1 << 18

/**
 * An answer's body as a stream of blocks that their last reader may give back. Its failures are ServiceErrors, and its end is an end only after every byte that the answer's head announced.
 * Destroying it ends the connection.
 */
export function streamBody(bucket: S3Bucket, path: string, answer: Answer): Readable {
  const expected = lengthOf(answer)
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
    received += bytes.length
    let more = true
    for (let at = 0; at < bytes.length; ) {
      block ??= lend(blockSize)
      const count = bytes.copy(block, filled, at)
      at += count
      filled += count
      if (filled < blockSize) continue
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
      else stream.destroy(cutShort(bucket, path, received, expected))
    },
    (error: unknown) => stream.destroy(bucket.failure(error, 'read', path)),
  )
  return stream
}

/** @throws SOURCE_CHANGED if it is larger than a small file */
export async function readWhole(bucket: S3Bucket, path: string, answer: Answer): Promise<Content> {
  const expected = lengthOf(answer)
  if (expected !== undefined && expected > smallFile) {
    answer.destroy()
    throw grown(bucket, path)
  }
  const bytes = lend(expected ?? smallFile)
  let received = 0
  try {
    await answer.take((piece) => {
      if (received + piece.length > bytes.length) answer.destroy(grown(bucket, path))
      else received += piece.copy(bytes, received)
      return undefined
    })
  } catch (error) {
    throw bucket.failure(error, 'read', path)
  }
  if (expected !== undefined && received !== expected) throw cutShort(bucket, path, received, expected)
  return { bytes: bytes.subarray(0, received), mtimeNs: mtimeOf(answer.headers), ...etagOf(answer.headers) }
}

/** Nanoseconds since the epoch, to the second. */
export function mtimeOf(headers: {
  readonly 'last-modified'?: string | undefined
  readonly date?: string | undefined
}): bigint {
  return BigInt(Date.parse(headers['last-modified'] ?? headers.date ?? '') || 0) * 1_000_000n
}

export function etagOf(headers: { readonly etag?: string | undefined }): { etag?: string } {
  return headers.etag === undefined ? {} : { etag: headers.etag }
}

function lengthOf({ headers }: Answer): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

function cutShort(bucket: S3Bucket, path: string, received: number, expected: number): ServiceError {
  const message = `cannot read ${quote(path)} at ${bucket.url}: the answer ended after ${received} of ${expected} bytes`
  return new ServiceError('STORE_UNREACHABLE', message, { verb: 'read', path, store: bucket.url })
}

function grown(bucket: S3Bucket, path: string): ServiceError {
  const message = `cannot read ${quote(path)} at ${bucket.url}: it has grown beyond ${smallFile} bytes`
  return new ServiceError('SOURCE_CHANGED', message, { verb: 'read', path })
}

import type { Readable } from 'node:stream'
import { ServiceError } from '../errors.js'
import type { Answer } from './http-answer.js'
import { bodyOf, wholeOf } from './http-body.js'
import { quote } from './path.js'
import type { S3Bucket } from './s3-bucket.js'
import { type Content, smallFile } from './store.js'

/** An answer's body as a stream whose failures are ServiceErrors; see `bodyOf`. */
export function streamBody(bucket: S3Bucket, path: string, answer: Answer): Readable {
  return bodyOf(answer, (error) => bucket.failure(error, 'read', path))
}

/** @throws SOURCE_CHANGED if it is larger than a small file */
export async function readWhole(bucket: S3Bucket, path: string, answer: Answer): Promise<Content> {
  try {
    const bytes = await wholeOf(answer, smallFile, () => grown(bucket, path))
    return { bytes, mtimeNs: mtimeOf(answer.headers), ...etagOf(answer.headers) }
  } catch (error) {
    throw bucket.failure(error, 'read', path)
  }
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

function grown(bucket: S3Bucket, path: string): ServiceError {
  const message = `cannot read ${quote(path)} at ${bucket.url}: it has grown beyond ${smallFile} bytes`
  return new ServiceError('SOURCE_CHANGED', message, { verb: 'read', path })
}

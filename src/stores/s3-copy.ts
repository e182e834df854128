import { CopyObjectCommand, HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { isServiceError, ServiceError } from '../errors.js'
import { quote } from './path.js'
import { isWaitedOut, type RetryOptions } from './retry.js'
import type { S3Bucket } from './s3-bucket.js'
import { Refusal, serviceCode } from './s3-failure.js'
import { encodeKey } from './s3-key.js'
import type { UploadSettings } from './s3-upload.js'
import type { Copied, CopyOptions } from './store.js'

/** Bytes that one request may copy. */
const largestCopy = 5 * 2 ** 30

interface End {
  readonly bucket: S3Bucket
  readonly path: string
}

/**
 * A copy inside the service, where its hash is proven all the same: with a recorded hash only if the source shows just that one for the whole object, without one only if the copy shows one.
 * Undefined where it can't be had: then the bytes have to travel. A refusal is such a case too: reading and writing find out what is wrong and with which side.
 */
export async function copyObject(
  from: End,
  to: End,
  options: CopyOptions,
  settings: UploadSettings,
): Promise<Copied | undefined> {
  if (!sameService(from.bucket, to.bucket)) return undefined
  const source = await head(from)
  if (!source) return undefined
  const { ContentLength: size = 0, ETag: etag, LastModified } = source
  if (size > largestCopy || etag === undefined) return undefined
  if (options.size !== undefined && options.size !== size) throw differs(from, `${size} bytes`, `${options.size}`)
  const shown = wholeSha256(source)
  if (options.sha256 !== undefined) {
    if (shown === undefined) return undefined
    if (shown !== options.sha256) throw differs(from, `SHA-256 ${shown}`, options.sha256)
  }
  if (!(await copy(from, to, etag, options, settings))) return undefined
  const copied = await copiedObject(to, size)
  const sha256 = copied && wholeSha256(copied)
  if (sha256 === undefined || (options.sha256 !== undefined && sha256 !== options.sha256)) return undefined
  options.onBytes?.(size)
  return {
    size,
    sha256,
    sourceMtimeNs: BigInt(LastModified?.getTime() ?? 0) * 1_000_000n,
    sourceEtag: etag,
    ...(copied?.ETag !== undefined && { etag: copied.ETag }),
    serverSide: true,
  }
}

/** False: the service refuses, or says nothing. */
async function copy(
  from: End,
  to: End,
  etag: string,
  options: CopyOptions,
  settings: UploadSettings,
): Promise<boolean> {
  const { sha256 } = options
  try {
    await to.bucket.call(
      'write',
      to.path,
      (client, Bucket) =>
        client.send(
          new CopyObjectCommand({
            Bucket,
            Key: to.bucket.key(to.path),
            CopySource: `${from.bucket.config.bucket}/${encodeKey(from.bucket.key(from.path))}`,
            CopySourceIfMatch: etag,
            ChecksumAlgorithm: 'SHA256',
            ...(sha256 !== undefined && { MetadataDirective: 'REPLACE', Metadata: { sha256 } }),
            ...settings,
          }),
        ),
      notIfSilent,
    )
    return true
  } catch (error) {
    if (isRefusal(error) || isSilence(error)) return false
    throw error
  }
}

/** AWS shows it in the copy's answer, MinIO only to a HEAD. */
async function copiedObject(to: End, size: number): Promise<HeadObjectCommandOutput | undefined> {
  const found = await head(to)
  return found?.ContentLength === size ? found : undefined
}

async function head({ bucket, path }: End): Promise<HeadObjectCommandOutput | undefined> {
  try {
    return await bucket.call('stat', path, (client, Bucket) =>
      client.send(new HeadObjectCommand({ Bucket, Key: bucket.key(path), ChecksumMode: 'ENABLED' })),
    )
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** Hex. A checksum of parts' checksums ("…-3") says nothing about the whole. */
function wholeSha256({ ChecksumSHA256: sum, ChecksumType }: HeadObjectCommandOutput): string | undefined {
  if (sum === undefined || sum.includes('-') || ChecksumType === 'COMPOSITE') return undefined
  return Buffer.from(sum, 'base64').toString('hex')
}

/** Some services say nothing while they copy: where that takes longer than a store may be silent, it would the next time too. */
export const notIfSilent: Partial<RetryOptions> = {
  onRetry: (failure) => {
    if (failure.code === 'STORE_TIMEOUT') throw failure
  },
}

/** Did a copy by the service end so? Its bytes have to travel then. */
export function isSilence(error: unknown): boolean {
  return isServiceError(error, 'STORE_TIMEOUT') && !isWaitedOut(error)
}

/** Did the service answer, and no time will change what it said? */
export function isRefusal(error: unknown): boolean {
  if (!isServiceError(error) || error.retry) return false
  return error.cause instanceof Refusal || serviceCode(error.cause) !== undefined
}

function sameService({ config: a }: S3Bucket, { config: b }: S3Bucket): boolean {
  const text = ({ credentials, endpoint, region }: typeof a): string => JSON.stringify([credentials, endpoint, region])
  return text(a) === text(b)
}

function differs({ bucket, path }: End, found: string, expected: string): ServiceError {
  const message = `cannot copy ${quote(path)} at ${bucket.url}: it has ${found}, ${expected} was expected`
  return new ServiceError('INTEGRITY', message, { verb: 'read', path, expected, found })
}

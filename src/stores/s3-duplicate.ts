import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { type Answer, textOf } from './http-answer.js'
import type { S3Bucket } from './s3-bucket.js'
import { isRefusal, isSilence, notIfSilent } from './s3-copy.js'
import { Refusal } from './s3-failure.js'
import { encodeKey } from './s3-key.js'
import { abort, abortPatience, type UploadSettings } from './s3-upload.js'
import type { Duplicated, Recorded, UploadNotes } from './store.js'
import { elementText } from './xml.js'

/** Bytes that one request may copy, and that each copies of a larger object. */
const limits = { whole: 5 * 2 ** 30, part: 2 ** 30 }

export interface DuplicateOptions extends UploadNotes {
  readonly headers: Readonly<Record<string, string>>
  readonly settings: UploadSettings
  /** For tests: objects of several GiB are not at hand everywhere. */
  readonly limits?: typeof limits
}

/** A second object with the content of the recorded version of the first, made by the service. Undefined where that version is gone, the service refuses, or is silent for too long. */
export async function duplicateObject(
  bucket: S3Bucket,
  path: string,
  to: string,
  recorded: Recorded,
  options: DuplicateOptions,
): Promise<Duplicated | undefined> {
  if (recorded.etag === undefined) return undefined
  const source = `${bucket.config.bucket}/${encodeKey(bucket.key(path))}`
  const version = { source, etag: recorded.etag }
  try {
    return recorded.size <= (options.limits ?? limits).whole
      ? await copyWhole(bucket, to, version, recorded, options)
      : await copyParts(bucket, to, version, recorded, options)
  } catch (error) {
    if (isRefusal(error) || isSilence(error)) return undefined
    throw error
  }
}

interface Version {
  /** `bucket/key`, escaped. */
  readonly source: string
  readonly etag: string
}

async function copyWhole(
  bucket: S3Bucket,
  to: string,
  { source, etag }: Version,
  { sha256 }: Recorded,
  { headers }: DuplicateOptions,
): Promise<Duplicated | undefined> {
  const result = await bucket.persist(async () => {
    const answer = await bucket.send('write', to, {
      method: 'PUT',
      key: bucket.key(to),
      headers: {
        ...headers,
        'x-amz-copy-source': source,
        'x-amz-copy-source-if-match': etag,
        'x-amz-checksum-algorithm': 'SHA256',
      },
    })
    const xml = await textOf(answer)
    // The service may have begun to answer before it failed: then the status says 200 and the body is an error.
    if (xml.includes('<ETag>')) return xml
    throw bucket.failure(lateFailure(xml, answer.headers), 'write', to)
  }, notIfSilent)
  const shown = elementText(result, 'ChecksumSHA256')
  // One that is another's: what stands under the recorded version's name is not what was hashed.
  if (shown !== undefined && shown !== Buffer.from(sha256, 'hex').toString('base64') && !shown.includes('-')) {
    return undefined
  }
  const hashed = shown !== undefined && !shown.includes('-')
  return { ...tagIn(result), serverSide: true, ...(hashed && { hashed }) }
}

async function copyParts(
  bucket: S3Bucket,
  to: string,
  { source, etag }: Version,
  { size, sha256 }: Recorded,
  { settings, onUpload, beforeUpload, onUploadEnd, limits: { part } = limits }: DuplicateOptions,
): Promise<Duplicated> {
  const Key = bucket.key(to)
  await beforeUpload?.(to)
  const { UploadId = '' } = await bucket.call('write', to, (client, Bucket) =>
    client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...settings, Metadata: { sha256 } })),
  )
  const upload = { path: to, uploadId: UploadId }
  let made: string | undefined
  try {
    await onUpload?.(upload)
    const Parts: CompletedPart[] = []
    for (let start = 0; start < size; start += part) {
      const PartNumber = Parts.length + 1
      const CopySourceRange = `bytes=${start}-${Math.min(size, start + part) - 1}`
      const { CopyPartResult } = await bucket.call(
        'write',
        to,
        (client, Bucket) =>
          client.send(
            new UploadPartCopyCommand({
              ...{ Bucket, Key, UploadId, PartNumber, CopySourceRange },
              ...{ CopySource: source, CopySourceIfMatch: etag },
            }),
          ),
        notIfSilent,
      )
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag })
    }
    const { ETag } = await bucket.call('write', to, (client, Bucket) =>
      client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } })),
    )
    made = ETag
  } catch (error) {
    // The failure that led here is the one to report; what can't be removed now stays on record.
    await abort(bucket, upload, abortPatience)
      .then(() => onUploadEnd?.(upload))
      .catch(() => {})
    throw error
  }
  await onUploadEnd?.(upload)
  return { serverSide: true, ...(made !== undefined && { etag: made }) }
}

function lateFailure(xml: string, headers: Answer['headers']): Refusal {
  const code = elementText(xml, 'Code') ?? 'InternalError'
  return new Refusal(code === 'SlowDown' ? 503 : 500, code, elementText(xml, 'Message') ?? '', headers)
}

function tagIn(xml: string): { etag?: string } {
  const etag = elementText(xml, 'ETag')
  return etag === undefined ? {} : { etag }
}

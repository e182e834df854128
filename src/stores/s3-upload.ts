import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  ListMultipartUploadsCommand,
} from '@aws-sdk/client-s3'
import { isServiceError, ServiceError } from '../errors.js'
import { giveBack } from './blocks.js'
import { quote } from './path.js'
import { isWaitedOut } from './retry.js'
import type { S3Bucket } from './s3-bucket.js'
import { serviceCode } from './s3-failure.js'
import { smallFile, type Upload, type WriteOptions } from './store.js'

/** S3's own limit. */
const mostParts = 10_000
const largestPart = 64 << 20
/** Bytes: 625 GiB. */
export const largestFile = mostParts * largestPart
/** Parts on their way at once, and how much memory they may take together with the one being filled (bytes). */
const partsAtOnce = 4
const mostMemory = 5 * smallFile
/** How long a failed upload waits to be aborted, where the service may be gone (ms). */
export const abortPatience = 5_000

/** What an upload asks the service to do with the object. */
export type UploadSettings = Pick<
  CreateMultipartUploadCommandInput,
  'ServerSideEncryption' | 'SSEKMSKeyId' | 'StorageClass'
>

/**
 * Bytes of each part of a file: 8 MiB, and more where 10,000 of those are not enough.
 * @throws STORE_FULL for a file that no upload can hold
 */
export function partSize(size: number, path: string, url: string): number {
  if (size > largestFile) {
    const message = `cannot write ${quote(path)} at ${url}: it has ${size} bytes, an upload in parts holds at most ${largestFile}`
    throw new ServiceError('STORE_FULL', message, { verb: 'write', path, size })
  }
  const needed = Math.ceil(size / mostParts)
  return Math.max(smallFile, Math.ceil(needed / (1 << 20)) << 20)
}

/** Part buffers of one upload. @param memory bytes that they may take */
export function buffersOf(part: number, memory = mostMemory): number {
  return Math.max(2, Math.min(partsAtOnce + 1, Math.floor(Math.min(memory, mostMemory) / part)))
}

/**
 * Uploads a stream in parts of our own making, each sent by a signed request and tried again alone. Not lib-storage's `Upload`: it joins each part with the next in
 * fresh memory (2.0 s of CPU a GiB against 0.6, 260 MiB against 120, measured), so neither its memory nor the fate of a buffer is ours to know.
 *
 * A buffer is filled again only after its part was acknowledged, and each part carries the CRC32 of what was put in, so the service refuses anything else.
 * A failure aborts the upload, after the parts under way have ended: a part that arrives after the abort would stay.
 */
export class PartsUpload {
  readonly #bucket: S3Bucket
  readonly #path: string
  readonly #key: string
  readonly #options: WriteOptions
  readonly #partSize: number
  /** Buffers that may be filled. */
  readonly #free: Buffer[] = []
  #buffers = 0
  readonly #underWay = new Set<Promise<void>>()
  readonly #parts: CompletedPart[] = []
  readonly #stop = new AbortController()
  #uploadId = ''
  /** Bytes acknowledged. */
  #moved = 0
  #taken = 0
  #failed: { readonly error: unknown } | undefined

  constructor(bucket: S3Bucket, path: string, options: WriteOptions) {
    this.#bucket = bucket
    this.#path = path
    this.#key = bucket.key(path)
    this.#options = options
    this.#partSize = partSize(options.size, path, bucket.url)
  }

  async run(source: Readable, settings: UploadSettings): Promise<{ etag?: string; size: number }> {
    await this.#options.beforeUpload?.(this.#path)
    await this.#create(settings)
    const upload = { path: this.#path, uploadId: this.#uploadId }
    let etag: string | undefined
    try {
      await this.#options.onUpload?.(upload)
      await this.#sendAll(source)
      etag = await this.#complete()
    } catch (error) {
      this.#failed ??= { error }
      this.#stop.abort()
      await Promise.allSettled(this.#underWay)
      // The failure that led here is the one to tell; what can't be removed now is on the caller's record.
      if (this.#options.onUpload && isServiceError(this.#failed.error) && isWaitedOut(this.#failed.error)) {
        throw this.#failed.error
      }
      await abort(this.#bucket, upload, abortPatience)
        .then(() => this.#options.onUploadEnd?.(upload))
        .catch(() => {})
      throw this.#failed.error
    }
    await this.#options.onUploadEnd?.(upload)
    return { size: this.#moved, ...(etag !== undefined && { etag }) }
  }

  async #create(settings: UploadSettings): Promise<void> {
    const { sha256 } = this.#options
    const { UploadId } = await this.#bucket.call('write', this.#path, (client, Bucket) =>
      client.send(
        new CreateMultipartUploadCommand({
          Bucket,
          Key: this.#key,
          ChecksumAlgorithm: 'CRC32',
          ...settings,
          ...(sha256 !== undefined && { Metadata: { sha256 } }),
        }),
      ),
    )
    if (!UploadId) throw this.#bucket.failure(new Error('the service gave no upload id'), 'write', this.#path)
    this.#uploadId = UploadId
  }

  async #sendAll(source: Readable): Promise<void> {
    let buffer: Buffer | undefined
    let filled = 0
    let sum = 0
    for await (const chunk of source as AsyncIterable<Buffer>) {
      this.#taken += chunk.length
      if (this.#taken > this.#options.size) throw this.#tooMuch()
      for (let start = 0; start < chunk.length; ) {
        buffer ??= await this.#take()
        const piece = chunk.subarray(start, start + this.#partSize - filled)
        piece.copy(buffer, filled)
        // Of what came, not of what the buffer holds when it is sent.
        sum = crc32(piece, sum)
        filled += piece.length
        start += piece.length
        if (filled < this.#partSize) continue
        this.#launch(buffer, filled, sum, source)
        buffer = undefined
        filled = 0
        sum = 0
      }
      giveBack(chunk)
    }
    if (buffer || this.#parts.length === 0) {
      this.#launch(buffer ?? Buffer.alloc(0), filled, sum, source)
    }
    while (this.#underWay.size > 0 && !this.#failed) await Promise.race(this.#underWay)
    if (this.#failed) throw this.#failed.error
  }

  /** A buffer that no part needs any more. */
  async #take(): Promise<Buffer> {
    for (;;) {
      if (this.#failed) throw this.#failed.error
      const free = this.#free.pop()
      if (free) return free
      if (this.#buffers < buffersOf(this.#partSize, this.#options.memory)) {
        this.#buffers += 1
        return Buffer.allocUnsafeSlow(this.#partSize)
      }
      await Promise.race(this.#underWay)
    }
  }

  #launch(buffer: Buffer, length: number, sum: number, source: Readable): void {
    const number = this.#parts.length + 1
    const part: CompletedPart = { PartNumber: number, ChecksumCRC32: base64(sum) }
    this.#parts.push(part)
    const sending = this.#send(part, buffer.subarray(0, length)).then(
      (etag) => {
        Object.assign(part, { ETag: etag })
        this.#moved += length
        this.#free.push(buffer)
      },
      (error: unknown) => {
        this.#failed ??= { error }
        // Or a source that gives nothing more would keep this waiting.
        source.destroy()
      },
    )
    const tracked = sending.finally(() => this.#underWay.delete(tracked))
    this.#underWay.add(tracked)
  }

  #send({ PartNumber, ChecksumCRC32 = '' }: CompletedPart, body: Buffer): Promise<string> {
    return this.#bucket.persist(
      async () => {
        const { etag } = await this.#bucket.exchange('write', this.#path, {
          method: 'PUT',
          key: this.#key,
          query: { partNumber: String(PartNumber), uploadId: this.#uploadId },
          headers: { 'x-amz-checksum-crc32': ChecksumCRC32 },
          body,
          signal: this.#stop.signal,
        })
        return etag ?? ''
      },
      { progressed: () => this.#moved, check: () => this.#stop.signal.throwIfAborted() },
    )
  }

  async #complete(): Promise<string | undefined> {
    let tries = 0
    try {
      const { ETag } = await this.#bucket.call('write', this.#path, (client, Bucket) => {
        tries += 1
        return client.send(
          new CompleteMultipartUploadCommand({
            Bucket,
            Key: this.#key,
            UploadId: this.#uploadId,
            MultipartUpload: { Parts: this.#parts },
            ...(this.#options.ifAbsent && { IfNoneMatch: '*' }),
          }),
        )
      })
      return ETag
    } catch (error) {
      // The answer to an earlier try was lost, what it did was not.
      const lost = tries > 1 && isServiceError(error) && serviceCode(error.cause) === 'NoSuchUpload'
      if (!lost) throw error
      const etag = await this.#visibleEtag()
      if (etag !== `"${joinedEtag(this.#parts)}"`) throw error
      return etag
    }
  }

  async #visibleEtag(): Promise<string | undefined> {
    const { etag } = await this.#bucket.persist(() =>
      this.#bucket.exchange('write', this.#path, { method: 'HEAD', key: this.#key }),
    )
    return etag
  }

  #tooMuch(): ServiceError {
    const { url } = this.#bucket
    const message = `cannot write ${quote(this.#path)} at ${url}: its source gives more than the ${this.#options.size} bytes announced`
    return new ServiceError('SOURCE_CHANGED', message, { verb: 'write', path: this.#path })
  }
}

/** Removes an upload's parts; one that is gone counts as removed. */
export async function abort(bucket: S3Bucket, { path, uploadId }: Upload, patience?: number): Promise<void> {
  const Key = bucket.key(path)
  if (uploadId === '') return abortAll(bucket, path)
  try {
    await bucket.call(
      'write',
      path,
      (client, Bucket) => client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: uploadId })),
      patience === undefined ? {} : { timeoutMs: patience, fromStart: true },
    )
  } catch (error) {
    if (!isServiceError(error) || serviceCode(error.cause) !== 'NoSuchUpload') throw error
  }
}

/** An upload whose id nobody knows has no parts yet, and costs nothing: where it may not be listed it stays. */
async function abortAll(bucket: S3Bucket, path: string): Promise<void> {
  const Prefix = bucket.key(path)
  try {
    const { Uploads = [] } = await bucket.call('list', path, (client, Bucket) =>
      client.send(new ListMultipartUploadsCommand({ Bucket, Prefix })),
    )
    for (const { Key, UploadId } of Uploads) {
      if (Key === Prefix && UploadId) await abort(bucket, { path, uploadId: UploadId })
    }
  } catch (error) {
    if (!isServiceError(error, 'STORE_DENIED', 'STORE_AUTH')) throw error
  }
}

function base64(sum: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(sum)
  return bytes.toString('base64')
}

/** The ETag of an object that was put together from parts: the MD5 of their MD5s, and how many there were. */
function joinedEtag(parts: readonly CompletedPart[]): string {
  const hash = createHash('md5')
  for (const { ETag = '' } of parts) hash.update(Buffer.from(ETag.replaceAll('"', ''), 'hex'))
  return `${hash.digest('hex')}-${parts.length}`
}

import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { DeleteObjectsCommand, type StorageClass } from '@aws-sdk/client-s3'
import { isServiceError, ServiceError } from '../errors.js'
import { drain } from './http-answer.js'
import type { S3StoreConfig } from './open.js'
import { checkPath, quote } from './path.js'
import { S3Bucket } from './s3-bucket.js'
import { copyObject } from './s3-copy.js'
import { duplicateObject } from './s3-duplicate.js'
import { Refusal } from './s3-failure.js'
import { listKeys, listObjects } from './s3-list.js'
import { etagOf, mtimeOf, readWhole, streamBody } from './s3-read.js'
import { abort, buffersOf, PartsUpload, partSize, type UploadSettings } from './s3-upload.js'
import {
  type Content,
  type Copied,
  type CopyOptions,
  type Duplicated,
  type ListOptions,
  type Patience,
  type ReadOptions,
  type Recorded,
  type Store,
  type StoredFile,
  smallFile,
  type Upload,
  type UploadNotes,
  type WriteOptions,
} from './store.js'

/** What one request may remove. */
const batchSize = 1000

/**
 * Objects of one bucket, below a prefix. Requests that can be sent twice as they are (list, stat, remove, the parts of an upload) are tried again here; a read or a write as a whole is its caller's to try
 * again, who alone can read the source from its start and count right.
 */
export class S3Store implements Store {
  readonly url: string
  readonly patience: Patience
  readonly #bucket: S3Bucket
  readonly #settings: UploadSettings
  readonly #headers: Readonly<Record<string, string>>

  constructor(config: S3StoreConfig) {
    this.#bucket = new S3Bucket(config)
    this.url = this.#bucket.url
    const { sse, kmsKeyId, storageClass, retryTimeoutMs, stallTimeoutMs } = config
    this.patience = { retryTimeoutMs, stallTimeoutMs }
    this.#settings = {
      ...(sse && { ServerSideEncryption: sse }),
      ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
      ...(storageClass !== undefined && { StorageClass: storageClass as StorageClass }),
    }
    this.#headers = {
      ...(sse && { 'x-amz-server-side-encryption': sse }),
      ...(kmsKeyId !== undefined && { 'x-amz-server-side-encryption-aws-kms-key-id': kmsKeyId }),
      ...(storageClass !== undefined && { 'x-amz-storage-class': storageClass }),
    }
  }

  list(prefix: string | readonly string[], options?: ListOptions): AsyncIterable<StoredFile> {
    const folders = typeof prefix === 'string' ? [prefix] : prefix
    for (const folder of folders) if (folder !== '') checkPath(folder)
    return listObjects(this.#bucket, folders, options)
  }

  async stat(path: string): Promise<StoredFile> {
    const key = this.#bucket.key(path)
    const headers = await this.#bucket.persist(async () => {
      try {
        return await this.#bucket.exchange('stat', path, { method: 'HEAD', key })
      } catch (error) {
        throw await this.#reason(error, path, key)
      }
    })
    return { path, size: Number(headers['content-length'] ?? 0), mtimeNs: mtimeOf(headers), ...etagOf(headers) }
  }

  async read(path: string, options: ReadOptions = {}): Promise<Readable> {
    const { start = 0, version } = options
    try {
      const response = await this.#bucket.send('read', path, {
        method: 'GET',
        key: this.#bucket.key(path),
        headers: {
          ...(start > 0 && { range: `bytes=${start}-` }),
          ...(version !== undefined && { 'if-match': version }),
        },
      })
      return streamBody(this.#bucket, path, response)
    } catch (error) {
      // The range begins at the end or beyond it.
      if (start > 0 && isServiceError(error) && error.cause instanceof Refusal && error.cause.status === 416) {
        return Readable.from([])
      }
      throw error
    }
  }

  async readSmall(path: string, { version }: Pick<ReadOptions, 'version'> = {}): Promise<Content> {
    const response = await this.#bucket.send('read', path, {
      method: 'GET',
      key: this.#bucket.key(path),
      ...(version !== undefined && { headers: { 'if-match': version } }),
    })
    return readWhole(this.#bucket, path, response)
  }

  async write(path: string, source: Readable, options: WriteOptions): Promise<StoredFile> {
    try {
      if (options.size <= smallFile)
        return await this.writeSmall(path, await this.#collect(path, source, options.size), options)
      const uploaded = await new PartsUpload(this.#bucket, path, options).run(source, this.#settings)
      return { path, mtimeNs: BigInt(Date.now()) * 1_000_000n, ...uploaded }
    } catch (error) {
      source.destroy()
      throw error
    }
  }

  uploadMemory(size: number, path: string): number {
    const part = partSize(size, path, this.url)
    return part * buffersOf(part)
  }

  async writeSmall(
    path: string,
    bytes: Buffer,
    options: Pick<WriteOptions, 'sha256' | 'ifAbsent' | 'ifVersion'> = {},
  ): Promise<StoredFile> {
    const sha256 = options.sha256 ?? createHash('sha256').update(bytes).digest('hex')
    const headers = await this.#bucket.exchange('write', path, {
      method: 'PUT',
      key: this.#bucket.key(path),
      body: bytes,
      sha256,
      headers: {
        ...this.#headers,
        'x-amz-meta-sha256': sha256,
        // Buckets with Object Lock take nothing without a checksum; it also stays with the object, where a copy can use it.
        'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
        ...(options.ifAbsent && { 'if-none-match': '*' }),
        ...(options.ifVersion !== undefined && { 'if-match': options.ifVersion }),
      },
    })
    return { path, size: bytes.length, mtimeNs: mtimeOf(headers), ...etagOf(headers) }
  }

  async remove(paths: Iterable<string>): Promise<void> {
    let batch: string[] = []
    const add = async (key: string): Promise<void> => {
      batch.push(key)
      if (batch.length < batchSize) return
      await this.#removeKeys(batch)
      batch = []
    }
    for (const path of paths) {
      if (!path.endsWith('/')) await add(this.#bucket.key(path))
      else for await (const key of listKeys(this.#bucket, checkPath(path.slice(0, -1)))) await add(key)
    }
    if (batch.length > 0) await this.#removeKeys(batch)
  }

  async copy(from: Store, path: string, to: string, options: CopyOptions): Promise<Copied | undefined> {
    if (!(from instanceof S3Store)) return undefined
    from.#bucket.key(path)
    this.#bucket.key(to)
    return copyObject({ bucket: from.#bucket, path }, { bucket: this.#bucket, path: to }, options, this.#settings)
  }

  duplicate(path: string, to: string, recorded: Recorded, options: UploadNotes = {}): Promise<Duplicated | undefined> {
    const ways = { headers: this.#headers, settings: this.#settings, ...options }
    return duplicateObject(this.#bucket, path, to, recorded, ways)
  }

  abortUpload(upload: Upload): Promise<void> {
    return abort(this.#bucket, upload)
  }

  async close(): Promise<void> {
    this.#bucket.close()
  }

  /** @throws the first failure; `detail.failed` has all: path, the service's code, its message */
  async #removeKeys(keys: readonly string[]): Promise<void> {
    const skip = this.#bucket.prefix.length
    await this.#bucket.call('remove', `${keys.length} files`, async (client, Bucket) => {
      const Objects = keys.map((Key) => ({ Key }))
      const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
      const failed = Errors.filter(({ Code }) => Code !== 'NoSuchKey').map(({ Key = '', Code = '', Message = '' }) => ({
        path: Key.slice(skip),
        code: Code,
        message: Message,
      }))
      const [first] = failed
      if (!first) return
      const refused = new Refusal(statuses[first.code] ?? 400, first.code, first.message, {})
      const { code, message, detail } = this.#bucket.failure(refused, 'remove', first.path)
      const others = failed.length === 1 ? '' : ` (and ${failed.length - 1} others)`
      throw new ServiceError(code, `${message}${others}`, { ...detail, failed })
    })
  }

  /** The answer to a HEAD has no body: why it failed is asked again with a GET of one byte. */
  async #reason(failure: unknown, path: string, key: string): Promise<unknown> {
    const refusal = isServiceError(failure) && failure.cause instanceof Refusal ? failure.cause : undefined
    if (!refusal || refusal.status >= 500 || refusal.code !== '') return failure
    try {
      const headers = { range: 'bytes=0-0' }
      await drain(await this.#bucket.send('stat', path, { method: 'GET', key, headers }))
      return failure
    } catch (error) {
      return isServiceError(error) && error.cause instanceof Refusal ? error : failure
    }
  }

  async #collect(path: string, source: Readable, size: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(size)
    let filled = 0
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (filled + chunk.length > size) {
        const message = `cannot write ${quote(path)} at ${this.url}: its source gives more than the ${size} bytes announced`
        throw new ServiceError('SOURCE_CHANGED', message, { verb: 'write', path })
      }
      filled += chunk.copy(bytes, filled)
    }
    return bytes.subarray(0, filled)
  }
}

/** A key's own failure in a batch comes without a status. */
const statuses: Readonly<Record<string, number>> = { AccessDenied: 403, InternalError: 500, SlowDown: 503 }

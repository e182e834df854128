import { Readable } from 'node:stream'
import { isServiceError, ServiceError } from '../errors.js'
import { type AzureClient, type BlobRequest, connect } from './azure-client.js'
import { duplicateBlob } from './azure-duplicate.js'
import { listBlobs } from './azure-list.js'
import { readWhole, streamOf } from './azure-read.js'
import { removeBlobs } from './azure-remove.js'
import { blockSizeFor, buffersOf, putBlob, putStream, type Uploaded } from './azure-upload.js'
import type { AzureStoreConfig } from './open.js'
import { checkPath, quote } from './path.js'
import {
  type Content,
  type Duplicated,
  type ListOptions,
  type Patience,
  type ReadOptions,
  type Recorded,
  type Store,
  type StoredFile,
  smallFile,
  type WriteOptions,
} from './store.js'

/**
 * Block blobs below one prefix of a container. There is no `copy` from other stores: Azure shows no SHA-256 of a blob that it has copied on its own side, so the bytes go through us, who
 * hash them. There is no `abortUpload`: blocks that were never committed can't be removed, the service drops them after a week.
 */
export class AzureStore implements Store {
  readonly url: string
  readonly patience: Patience
  readonly #client: AzureClient

  constructor(client: AzureClient, patience: Patience) {
    this.url = client.url
    this.patience = patience
    this.#client = client
  }

  static async open(config: AzureStoreConfig): Promise<AzureStore> {
    const { retryTimeoutMs, stallTimeoutMs } = config
    return new AzureStore(await connect(config), { retryTimeoutMs, stallTimeoutMs })
  }

  list(prefix: string | readonly string[], options?: ListOptions): AsyncIterable<StoredFile> {
    const folders = typeof prefix === 'string' ? [prefix] : prefix
    for (const folder of folders) if (folder !== '') checkPath(folder)
    return listBlobs(this.#client, folders, options)
  }

  async stat(path: string): Promise<StoredFile> {
    const name = this.#client.nameOf(path)
    const { headers } = await this.#client.try('stat', path, () => this.#client.send({ method: 'HEAD', name }))
    return {
      path,
      size: Number(headers.get('content-length')),
      mtimeNs: nanoseconds(headers.get('last-modified')),
      etag: headers.get('etag') ?? '',
    }
  }

  async read(path: string, options: ReadOptions = {}): Promise<Readable> {
    const place = this.#client.place('read', path)
    const request = getRequest(this.#client.nameOf(path), options)
    try {
      const response = await this.#client.try('read', path, () => this.#client.send(request))
      return streamOf(response, place, this.#client.stallMs)
    } catch (error) {
      if (!isServiceError(error, 'SOURCE_CHANGED')) throw error
      // A blob that is gone may be refused as another version, too: asking for it rejects with STORE_NOT_FOUND.
      const { size } = await this.stat(path)
      // And there is no empty range: one that begins at the end of the blob is refused.
      if (error.detail.status === 416 && size === options.start) return Readable.from([])
      throw error
    }
  }

  async readSmall(path: string, { version }: Pick<ReadOptions, 'version'> = {}): Promise<Content> {
    const place = this.#client.place('read', path)
    const request = getRequest(this.#client.nameOf(path), { version })
    const tooLong = (): ServiceError => {
      const message = `cannot read ${quote(path)} at ${this.url}: it has grown beyond ${smallFile} bytes`
      return new ServiceError('SOURCE_CHANGED', message, { verb: 'read', path })
    }
    const read = async (): Promise<Content> => {
      const response = await this.#client.send(request)
      return {
        bytes: await readWhole(response, place, this.#client.stallMs, { most: smallFile, tooLong }),
        mtimeNs: nanoseconds(response.headers.get('last-modified')),
        etag: response.headers.get('etag') ?? '',
      }
    }
    try {
      return await this.#client.try('read', path, read)
    } catch (error) {
      if (isServiceError(error, 'SOURCE_CHANGED')) await this.stat(path)
      throw error
    }
  }

  async write(path: string, source: Readable, options: WriteOptions): Promise<StoredFile> {
    return asFile(path, await putStream(this.#client, path, source, options))
  }

  uploadMemory(size: number, path: string): number {
    const block = blockSizeFor(this.#client, path, size)
    return block * buffersOf(block)
  }

  async writeSmall(
    path: string,
    bytes: Buffer,
    options: Pick<WriteOptions, 'sha256' | 'ifAbsent' | 'ifVersion'> = {},
  ): Promise<StoredFile> {
    return asFile(path, await putBlob(this.#client, path, bytes, options))
  }

  async remove(paths: Iterable<string>): Promise<void> {
    await removeBlobs(this.#client, paths)
  }

  duplicate(path: string, to: string, recorded: Recorded): Promise<Duplicated | undefined> {
    return duplicateBlob(this.#client, path, to, recorded)
  }

  async close(): Promise<void> {
    this.#client.close()
  }
}

function getRequest(
  name: string,
  { start = 0, version }: { start?: number; version?: string | undefined },
): BlobRequest {
  const headers = {
    ...(start > 0 && { range: `bytes=${start}-` }),
    ...(version !== undefined && { 'if-match': version }),
  }
  return { method: 'GET', name, headers }
}

function asFile(path: string, { size, etag, lastModified }: Uploaded): StoredFile {
  return { path, size, mtimeNs: nanoseconds(lastModified), etag }
}

function nanoseconds(date: string | undefined): bigint {
  return BigInt(Date.parse(date ?? '')) * 1_000_000n
}

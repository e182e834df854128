import { createHash, randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { PipelineResponse } from '@azure/core-rest-pipeline'
import { isServiceError, ServiceError } from '../errors.js'
import type { AzureClient } from './azure-client.js'
import { azureFailure } from './azure-failure.js'
import { giveBack } from './blocks.js'
import { quote } from './path.js'
import { smallFile, type WriteOptions } from './store.js'

/** Azure's most blocks of a blob. */
const mostBlocks = 50_000
/** The largest block that is held in memory; Azure would take 4000 MiB. */
const largestBlock = 64 << 20
/** Blocks under way at once; one more buffer is being filled meanwhile. */
const blocksAtOnce = 2

/** What a write leaves behind. */
export interface Uploaded {
  /** Bytes. */
  readonly size: number
  readonly etag: string
  readonly lastModified: string
}

type PutOptions = Pick<WriteOptions, 'sha256' | 'ifAbsent' | 'ifVersion'>

/** A whole blob in one request. The service refuses it if its bytes don't match their MD5. */
export async function putBlob(
  client: AzureClient,
  path: string,
  bytes: Buffer,
  options: PutOptions,
): Promise<Uploaded> {
  const headers = { 'x-ms-blob-type': 'BlockBlob', 'content-type': contentType, ...md5Of(bytes) }
  return { size: bytes.length, ...(await commit(client, path, '', headers, bytes, options)) }
}

/**
 * A stream as one blob: whole up to `smallFile` bytes, in blocks beyond. A buffer is filled again only after the service has acknowledged its block. When the source fails nothing is
 * committed; its blocks can't be dropped, the service does so after a week.
 */
export async function putStream(
  client: AzureClient,
  path: string,
  source: Readable,
  options: WriteOptions,
): Promise<Uploaded> {
  const upload = new BlockUpload(client, path)
  try {
    const blockSize = blockSizeFor(client, path, options.size)
    upload.most = buffersOf(blockSize, options.memory) - 1
    // The size is a hint: no more is held for a small file than it needs.
    let block: Buffer = Buffer.allocUnsafeSlow(Math.min(blockSize, Math.max(options.size, 1)))
    let filled = 0
    for await (const chunk of source as AsyncIterable<Buffer>) {
      for (let taken = 0; taken < chunk.length; ) {
        if (filled === block.length) {
          if (block.length < blockSize) block = grown(block, blockSize)
          else {
            block = await upload.swap(block)
            filled = 0
          }
        }
        const bytes = chunk.copy(block, filled, taken)
        taken += bytes
        filled += bytes
      }
      giveBack(chunk)
    }
    const sha256 = options.sha256 ?? options.sha256AtEnd?.()
    const known = { ...options, ...(sha256 !== undefined && { sha256 }) }
    const last = block.subarray(0, filled)
    if (upload.isEmpty && filled <= smallFile) return await putBlob(client, path, last, known)
    return await upload.finish(last, known)
  } catch (error) {
    source.destroy()
    await upload.settled()
    throw azureFailure(error, client.place('write', path))
  }
}

/** 8 MiB, more where the file would have too many blocks. */
export function blockSizeFor({ url }: Pick<AzureClient, 'url'>, path: string, size: number): number {
  const blockSize = Math.max(smallFile, Math.ceil(size / mostBlocks / (1 << 20)) << 20)
  if (blockSize <= largestBlock) return blockSize
  const most = (mostBlocks * largestBlock) / 2 ** 40
  throw new ServiceError(
    'STORE_FULL',
    `cannot write ${quote(path)} at ${url}: it is larger than ${most.toFixed(2)} TiB`,
    {
      verb: 'write',
      path,
    },
  )
}

/** Block buffers of one upload. @param memory bytes that they may take */
export function buffersOf(block: number, memory = Number.POSITIVE_INFINITY): number {
  return Math.max(2, Math.min(blocksAtOnce + 1, Math.floor(memory / block)))
}

const contentType = 'application/octet-stream'

/** The blocks of one blob. Their names hold a name of this attempt: blocks that an earlier one left under the same path are never taken for these. */
class BlockUpload {
  /** Blocks under way at once. */
  most = blocksAtOnce
  readonly #client: AzureClient
  readonly #path: string
  readonly #attempt = randomUUID()
  readonly #ids: string[] = []
  readonly #free: Buffer[] = []
  readonly #running = new Set<Promise<void>>()
  #size = 0
  #failure: { readonly error: unknown } | undefined

  constructor(client: AzureClient, path: string) {
    this.#client = client
    this.#path = path
  }

  get isEmpty(): boolean {
    return this.#ids.length === 0
  }

  /** Sends a full buffer on its way and gives another one, of the same size, that is free. */
  async swap(full: Buffer): Promise<Buffer> {
    await this.#send(full)
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(full.length)
  }

  async finish(last: Buffer, options: PutOptions): Promise<Uploaded> {
    await this.#send(last)
    await Promise.all(this.#running)
    this.#check()
    const list = this.#ids.map((id) => `<Latest>${id}</Latest>`).join('')
    const xml = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`)
    const headers = { 'x-ms-blob-content-type': contentType, ...md5Of(xml) }
    return { size: this.#size, ...(await commit(this.#client, this.#path, 'comp=blocklist', headers, xml, options)) }
  }

  /** Resolves when no block is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #send(block: Buffer): Promise<void> {
    while (this.#running.size >= this.most) await Promise.race(this.#running)
    this.#check()
    this.#size += block.length
    const sending = this.#put(block).then(
      () => {
        this.#free.push(block)
      },
      (error: unknown) => {
        this.#failure ??= { error }
      },
    )
    const running = sending.finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async #put(block: Buffer): Promise<void> {
    const id = Buffer.from(`${this.#attempt}-${String(this.#ids.length).padStart(5, '0')}`).toString('base64')
    this.#ids.push(id)
    const query = `comp=block&blockid=${encodeURIComponent(id)}`
    const request = {
      method: 'PUT',
      name: this.#client.nameOf(this.#path),
      query,
      headers: md5Of(block),
      body: block,
    } as const
    await this.#client.try('write', this.#path, () => this.#client.send(request))
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error
  }
}

/** The request that makes a blob visible. */
async function commit(
  client: AzureClient,
  path: string,
  query: string,
  headers: Record<string, string>,
  body: Buffer,
  { sha256, ifAbsent, ifVersion }: PutOptions,
): Promise<Omit<Uploaded, 'size'>> {
  const name = client.nameOf(path)
  const writer = randomUUID()
  const all = {
    ...headers,
    ...(sha256 !== undefined && { 'x-ms-meta-sha256': sha256 }),
    ...(ifAbsent && { 'if-none-match': '*', 'x-ms-meta-writer': writer }),
    ...(ifVersion !== undefined && { 'if-match': ifVersion }),
  }
  let tries = 0
  try {
    const put = await client.try('write', path, () => {
      tries += 1
      return client.send({ method: 'PUT', name, query, headers: all, body })
    })
    return marksOf(put)
  } catch (error) {
    if (tries === 1 || !isServiceError(error, 'STORE_EXISTS')) throw error
    // The answer to an earlier try may have been lost: then the blob that is there is this one.
    const found = await client.try('write', path, () => client.send({ method: 'HEAD', name }))
    if (found.headers.get('x-ms-meta-writer') !== writer) throw error
    return marksOf(found)
  }
}

function marksOf({ headers }: PipelineResponse): Omit<Uploaded, 'size'> {
  return { etag: headers.get('etag') ?? '', lastModified: headers.get('last-modified') ?? '' }
}

function md5Of(bytes: Buffer): { 'content-md5': string } {
  return { 'content-md5': createHash('md5').update(bytes).digest('base64') }
}

function grown(buffer: Buffer, size: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(size)
  buffer.copy(larger)
  return larger
}

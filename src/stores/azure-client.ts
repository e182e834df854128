import {
  bearerTokenAuthenticationPolicy,
  createDefaultHttpClient,
  createEmptyPipeline,
  createHttpHeaders,
  createPipelineRequest,
  getDefaultProxySettings,
  type PipelineRequest,
  type PipelineResponse,
  proxyPolicy,
  RestError,
} from '@azure/core-rest-pipeline'
import {
  AnonymousCredential,
  BlobServiceClient,
  type ContainerClient,
  newPipeline,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { getProxyForUrl } from 'proxy-from-env'
import { ServiceError } from '../errors.js'
import { azureFailure, type Place, type Verb } from './azure-failure.js'
import { directClient } from './azure-http.js'
import { sharedKeyPolicy } from './azure-sign.js'
import { inPieces, Watch } from './azure-watch.js'
import type { AzureStoreConfig } from './open.js'
import { checkPath, quote } from './path.js'
import { retry } from './retry.js'

/** The version of the service's protocol that requests made here speak. */
const protocol = '2023-11-03'
/** Through a proxy a body up to this size goes in one piece, a larger one in such pieces, so that a slow connection is told from a dead one. */
const bodyPiece = 1 << 18
/** Azure's longest name of a blob, in characters. */
const longestName = 1024

export interface BlobRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  /** Full name of the blob, with the store's prefix; '' for the container. */
  readonly name: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

/**
 * One container. Requests on single blobs go through the SDK's pipeline, which signs them, and our own connections, but not through its models and serializers: they
 * took twice the CPU for a small blob.
 */
export class AzureClient {
  /** `azure://account/container/prefix`. */
  readonly url: string
  /** The SDK's client, for batches. */
  readonly container: ContainerClient
  readonly prefix: string
  readonly stallMs: number
  readonly #retryMs: number
  readonly #base: string
  readonly #query: string
  readonly #expiry: string | undefined
  /** Ours, where no proxy stands between. */
  readonly #direct: ReturnType<typeof directClient> | undefined
  /** The SDK's, through a proxy. */
  readonly #proxied = createDefaultHttpClient()
  readonly #pipeline = createEmptyPipeline()

  constructor(service: BlobServiceClient, config: AzureStoreConfig) {
    this.container = service.getContainerClient(config.container)
    this.prefix = config.prefix
    this.stallMs = config.stallTimeoutMs
    this.#retryMs = config.retryTimeoutMs
    this.url = `azure://${service.accountName}/${config.container}/${config.prefix}`.replace(/\/$/, '')
    const { origin, pathname, search } = new URL(this.container.url)
    this.#base = `${origin}${pathname}`
    this.#query = search.slice(1)
    this.#expiry = new URLSearchParams(search).get('se') ?? undefined
    const proxy = getProxyForUrl(this.#base)
    this.#direct = proxy === '' ? directClient(origin, config.stallTimeoutMs) : undefined
    if (proxy !== '') this.#pipeline.addPolicy(proxyPolicy(getDefaultProxySettings(proxy)))
    const { credential } = service
    if (credential instanceof StorageSharedKeyCredential) this.#pipeline.addPolicy(sharedKeyPolicy(credential))
    else if ('getToken' in credential) {
      const scopes = 'https://storage.azure.com/.default'
      this.#pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes }))
    }
  }

  /** The blob's full name. */
  nameOf(path: string): string {
    const name = this.prefix + checkPath(path)
    if (name.length <= longestName) return name
    throw new ServiceError('PATH_INVALID', `path ${quote(path)} is longer than Azure's ${longestName} characters`)
  }

  /** Where a blob is, signed where a signature is part of that; '' for the container. */
  urlOf(name: string, query?: string): string {
    const path = name.split('/').map(encodeURIComponent).join('/')
    const queries = [query, this.#query].filter(Boolean).join('&')
    return this.#base + (path && `/${path}`) + (queries && `?${queries}`)
  }

  /** What a failure would be about. */
  place(verb: Verb, path: string): Place {
    return { verb, path, url: this.url, expiry: this.#expiry }
  }

  /** Runs requests, again where time may heal what went wrong; every failure of theirs becomes a ServiceError about this path. */
  async try<T>(verb: Verb, path: string, action: () => Promise<T>): Promise<T> {
    const place = this.place(verb, path)
    const result = await retry(
      async () => {
        try {
          return { value: await action() }
        } catch (error) {
          const failure = azureFailure(error, place)
          // No time brings the listed version back: whoever listed it has to look again.
          if (failure.code === 'SOURCE_CHANGED') return { failure }
          throw failure
        }
      },
      { timeoutMs: this.#retryMs },
    )
    if ('failure' in result) throw result.failure
    return result.value
  }

  /** Runs a request of the SDK, broken off if it takes too long. */
  async deadline<T>(action: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const watch = new Watch(this.stallMs)
    try {
      return await action(watch.signal)
    } catch (error) {
      throw watch.why(error)
    } finally {
      watch.end()
    }
  }

  /**
   * The answer's headers; for GET its body is still to be read. The bytes are the caller's again when this has resolved or rejected: what the socket of
   * a request that failed may still hold of them is refused by its MD5.
   *
   * @throws RestError
   */
  async send({ method, name, query, headers = {}, body }: BlobRequest): Promise<PipelineResponse> {
    const request = createPipelineRequest({
      url: this.urlOf(name, query),
      method,
      headers: createHttpHeaders({
        ...headers,
        'x-ms-version': protocol,
        ...(body && { 'content-length': body.length }),
      }),
      allowInsecureConnection: true,
      streamResponseStatusCodes: new Set(method === 'GET' ? [200, 206] : []),
      ...(body && { body }),
    })
    const response = this.#direct
      ? await this.#pipeline.sendRequest(this.#direct, request)
      : await this.#watched(request)
    if (response.status < 300) return response
    throw new RestError('refused', { statusCode: response.status, response })
  }

  close(): void {
    this.#direct?.close()
  }

  /** The SDK's own client has no clock of the bytes that move. */
  async #watched(request: PipelineRequest): Promise<PipelineResponse> {
    const watch = new Watch(this.stallMs)
    const { body } = request
    request.abortSignal = watch.signal
    if (body instanceof Buffer && body.length > bodyPiece) request.body = () => inPieces(body, bodyPiece, watch)
    try {
      return await this.#pipeline.sendRequest(this.#proxied, request)
    } catch (error) {
      throw watch.why(error)
    } finally {
      watch.end()
    }
  }
}

/** Makes the client; `@azure/identity` is loaded for managed identities only. */
export async function connect(config: AzureStoreConfig): Promise<AzureClient> {
  return new AzureClient(await serviceOf(config), config)
}

/** What Arc takes for granted in a connection string with a key, and this SDK wants to see. */
function complete(connectionString: string): string {
  const has = (name: string): boolean => new RegExp(`(?:^|;)\\s*${name}=`).test(connectionString)
  if (!has('AccountKey')) return connectionString
  const protocol = has('DefaultEndpointsProtocol') ? '' : 'DefaultEndpointsProtocol=https;'
  const suffix = has('BlobEndpoint') || has('EndpointSuffix') ? '' : ';EndpointSuffix=core.windows.net'
  return protocol + connectionString + suffix
}

async function serviceOf({ credential, endpoint }: AzureStoreConfig): Promise<BlobServiceClient> {
  // Ours is the only retry layer.
  const options = { retryOptions: { maxTries: 1 } }
  if (credential.kind === 'connection-string') {
    try {
      return BlobServiceClient.fromConnectionString(complete(credential.connectionString), options)
    } catch {
      // The SDK's message is left out: the string holds the key.
      throw new ServiceError(
        'STORE_AUTH',
        'the connection string of Azure Blob Storage is not one; copy it again from the portal',
      )
    }
  }
  const url = endpoint?.replace(/\/$/, '') ?? `https://${credential.account}.blob.core.windows.net`
  switch (credential.kind) {
    case 'sas': {
      const signed = `${url}?${credential.sasToken.replace(/^\?/, '')}`
      return new BlobServiceClient(signed, newPipeline(new AnonymousCredential(), options))
    }
    case 'account-key':
      return new BlobServiceClient(
        url,
        new StorageSharedKeyCredential(credential.account, credential.accountKey),
        options,
      )
    case 'managed-identity': {
      const { DefaultAzureCredential } = await import('@azure/identity')
      return new BlobServiceClient(url, new DefaultAzureCredential(), options)
    }
  }
}

import { S3Client } from '@aws-sdk/client-s3'
import type { S3StoreConfig } from './open.js'
import { queryText } from './s3-key.js'
import type { Transport } from './s3-transport.js'

/** What the SDK hands to a request handler. */
interface SdkRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  /** Encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

// It tells, as text in the middle of the log and once a thread, which Node its later versions will need; ours is pinned, and CONTRIBUTING.md says so.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

/** The SDK, for what is not on the path of each file, over our connections: one place for proxies, stalls and TLS. */
export function createClient(config: S3StoreConfig, transport: Transport): S3Client {
  const { endpoint, credentials, region, pathStyle } = config
  return new S3Client({
    region,
    forcePathStyle: pathStyle,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    // `retry.ts` is the one layer that tries again.
    maxAttempts: 1,
    // Servers that are not AWS's refuse what they don't know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: {
      metadata: { handlerProtocol: 'http/1.1' },
      handle: async (request: SdkRequest, options: { abortSignal?: AbortSignal } = {}) => ({
        response: await answer(request, transport, options.abortSignal),
      }),
      updateHttpClientConfig: () => {},
      httpHandlerConfigs: () => ({}),
    },
  })
}

/** Scheme, host and path of a bucket, as AWS's own rules have them: partitions, names with dots, path style. */
export function bucketAddress(config: S3StoreConfig, client: S3Client): { origin: string; path: string } {
  const { url } = client.config.endpointProvider({
    Bucket: config.bucket,
    Region: config.region,
    ForcePathStyle: config.pathStyle,
    ...(config.endpoint !== undefined && { Endpoint: config.endpoint }),
  })
  return { origin: url.origin, path: url.pathname === '/' ? '' : url.pathname }
}

async function answer(request: SdkRequest, transport: Transport, signal: AbortSignal | undefined) {
  const query = queryText(request.query)
  const { body } = request
  const response = await transport.send({
    method: request.method,
    origin: `${request.protocol}//${request.hostname}${request.port === undefined ? '' : `:${request.port}`}`,
    path: query === '' ? request.path : `${request.path}?${query}`,
    headers: request.headers,
    ...(body !== undefined && { body: typeof body === 'string' ? Buffer.from(body) : body }),
    ...(signal && { signal }),
  })
  return {
    statusCode: response.statusCode ?? 0,
    ...(response.statusMessage !== undefined && { reason: response.statusMessage }),
    headers: response.headers as Record<string, string>,
    body: response,
  }
}

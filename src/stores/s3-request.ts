import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import { SignatureV4 } from '@smithy/signature-v4'
import { type Answer, textOf } from './http-answer.js'
import type { S3StoreConfig } from './open.js'
import { bucketAddress } from './s3-client.js'
import { isExpired, Refusal } from './s3-failure.js'
import { encodeKey, queryText } from './s3-key.js'
import type { Transport } from './s3-transport.js'
import { elementText } from './xml.js'

/** From this size on a body waits for `100 Continue`: a refusal costs a round trip then, not the whole body and a broken pipe (bytes). */
const patientSize = 1 << 20
/** A refusal is read up to here (bytes). */
const longestRefusal = 1 << 16

export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  /** The object's whole key, store's prefix included. */
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  /** Lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** SHA-256 (hex) of the body, to be signed; without it the payload is not. */
  readonly sha256?: string
  readonly signal?: AbortSignal
}

/**
 * Requests signed by AWS's own signer and sent without the rest of the SDK: 0.1 ms of CPU for a small object where the SDK's commands take 0.65–0.9.
 * Answers of 2xx resolve, the body still to be read; others reject with a `Refusal`.
 */
export class S3Requests {
  /** `https://host:port` */
  readonly origin: string
  readonly #path: string
  readonly #host: string
  readonly #client: S3Client
  readonly #transport: Transport
  readonly #signer: SignatureV4
  readonly #renewable: boolean

  constructor(config: S3StoreConfig, client: S3Client, transport: Transport) {
    const { origin, path } = bucketAddress(config, client)
    this.origin = origin
    this.#path = path
    this.#host = new URL(origin).host
    this.#client = client
    this.#transport = transport
    this.#renewable = config.credentials === undefined
    this.#signer = new SignatureV4({
      service: 's3',
      region: config.region,
      // The chain's provider keeps what it found and asks again shortly before it expires.
      credentials: config.credentials ?? (() => client.config.credentials()),
      sha256: NativeSha256,
      uriEscapePath: false,
      applyChecksum: true,
    })
  }

  async send(request: S3Request): Promise<Answer> {
    return this.fresh(async () => {
      const answer = await this.#sendOnce(request)
      if (answer.status >= 200 && answer.status < 300) return answer
      throw await refusal(answer)
    })
  }

  /** Credentials that the service calls expired are asked for again, once. */
  async fresh<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      if (!this.#renewable || !isExpired(error)) throw error
      await this.#client.config.credentials({ forceRefresh: true })
      return action()
    }
  }

  async #sendOnce({ method, key, query = {}, headers, body, sha256, signal }: S3Request): Promise<Answer> {
    const path = `${this.#path}/${encodeKey(key)}`
    const signed = await this.#signer.sign({
      method,
      protocol: 'https:',
      hostname: this.#host,
      path,
      query: { ...query },
      headers: {
        ...headers,
        host: this.#host,
        'x-amz-content-sha256': sha256 ?? 'UNSIGNED-PAYLOAD',
        ...(body && { 'content-length': String(body.length) }),
      },
    })
    if (body && body.length > patientSize) signed.headers.expect = '100-continue'
    const text = queryText(query)
    return this.#transport.exchange({
      method,
      origin: this.origin,
      path: text === '' ? path : `${path}?${text}`,
      headers: signed.headers,
      ...(body && { body }),
      ...(signal && { signal }),
    })
  }
}

async function refusal(answer: Answer): Promise<Refusal> {
  const text = await textOf(answer, longestRefusal)
  const region = elementText(text, 'Region')
  const headers = { ...(region && { 'x-amz-bucket-region': region }), ...answer.headers }
  return new Refusal(answer.status, elementText(text, 'Code') ?? '', elementText(text, 'Message') ?? '', headers)
}

/** The signer's way to hash, on Node's own crypto. */
class NativeSha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {}
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string') return data
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

import type { S3Client } from '@aws-sdk/client-s3'
import { ServiceError } from '../errors.js'
import { type Answer, drain } from './http-answer.js'
import type { S3StoreConfig } from './open.js'
import { checkPath } from './path.js'
import { type RetryOptions, retry } from './retry.js'
import { createClient } from './s3-client.js'
import { s3Failure, type Verb } from './s3-failure.js'
import { type S3Request, S3Requests } from './s3-request.js'
import { Transport } from './s3-transport.js'

/** Longest key that S3 takes, in bytes. */
const longestKey = 1024

/** One bucket and the ways to speak to it, for the pieces of `S3Store`. */
export class S3Bucket {
  /** For people: `s3://bucket/prefix`. */
  readonly url: string
  /** '' or ending in `/`. */
  readonly prefix: string
  readonly config: S3StoreConfig
  readonly #transport: Transport
  readonly #client: S3Client
  readonly #requests: S3Requests

  constructor(config: S3StoreConfig) {
    this.config = config
    this.prefix = config.prefix
    this.url = `s3://${config.bucket}/${config.prefix}`.replace(/\/$/, '')
    this.#transport = new Transport(config.stallTimeoutMs)
    this.#client = createClient(config, this.#transport)
    this.#requests = new S3Requests(config, this.#client, this.#transport)
  }

  /** @throws PATH_INVALID */
  key(path: string): string {
    const key = this.prefix + checkPath(path)
    if (key.length * 3 > longestKey && Buffer.byteLength(key) > longestKey) {
      throw new ServiceError('PATH_INVALID', `a path at ${this.url} is longer than ${longestKey} bytes`, { path })
    }
    return key
  }

  /** A signed request, once, and its answer's head; the body is the caller's to read. */
  async send(verb: Verb, path: string, request: S3Request): Promise<Answer> {
    try {
      return await this.#requests.send(request)
    } catch (error) {
      throw this.failure(error, verb, path)
    }
  }

  /** The same, and the answer read to its end. */
  async exchange(verb: Verb, path: string, request: S3Request): Promise<Answer['headers']> {
    const answer = await this.send(verb, path, request)
    try {
      await drain(answer)
    } catch (error) {
      throw this.failure(error, verb, path)
    }
    return answer.headers
  }

  /** A command of the SDK, tried again while that makes sense. */
  call<T>(
    verb: Verb,
    path: string,
    action: (client: S3Client, bucket: string) => Promise<T>,
    options?: Partial<RetryOptions>,
  ): Promise<T> {
    return this.persist(async () => {
      try {
        return await this.#requests.fresh(() => action(this.#client, this.config.bucket))
      } catch (error) {
        throw this.failure(error, verb, path)
      }
    }, options)
  }

  /** Tries again what can be done twice. */
  persist<T>(action: () => Promise<T>, options?: Partial<RetryOptions>): Promise<T> {
    return retry(action, { timeoutMs: this.config.retryTimeoutMs, ...options })
  }

  failure(error: unknown, verb: Verb, path: string): ServiceError {
    return s3Failure(error, verb, path, { url: this.url, origin: this.#requests.origin, region: this.config.region })
  }

  close(): void {
    this.#client.destroy()
    this.#transport.close()
  }
}

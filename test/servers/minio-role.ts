import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import type { S3StoreConfig } from '../../src/stores/open.js'
import type { Minio } from './minio.js'

export interface Statement {
  readonly Effect: 'Allow'
  readonly Action: readonly string[]
  readonly Resource: readonly string[]
}

/** Credentials for an hour with some rights only, on everything. */
export function assumeRole(minio: Minio, actions: readonly string[]) {
  return assumePolicy(minio, [{ Effect: 'Allow', Action: actions, Resource: ['arn:aws:s3:::*'] }])
}

/** Credentials for an hour with the rights of a policy: STS AssumeRole. */
export async function assumePolicy(
  { endpoint, credentials }: Minio,
  Statement: readonly Statement[],
): Promise<NonNullable<S3StoreConfig['credentials']>> {
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  const body = new URLSearchParams({ Action: 'AssumeRole', Version: '2011-06-15', Policy }).toString()
  const { host, hostname } = new URL(endpoint)
  const signer = new SignatureV4({ service: 'sts', region: 'us-east-1', credentials, sha256: Sha256 })
  const headers = { host, 'content-type': 'application/x-www-form-urlencoded' }
  const request = { method: 'POST', protocol: 'http:', hostname, path: '/', query: {}, headers, body }
  const signed = await signer.sign(request)
  const response = await fetch(endpoint, { method: 'POST', headers: signed.headers, body })
  const text = await response.text()
  const field = (name: string): string => new RegExp(`<${name}>([^<]+)</${name}>`).exec(text)?.[1] ?? ''
  if (!response.ok) throw new Error(`MinIO gave no role: ${response.status} ${text}`)
  return {
    accessKeyId: field('AccessKeyId'),
    secretAccessKey: field('SecretAccessKey'),
    sessionToken: field('SessionToken'),
  }
}

class Sha256 {
  readonly #hash

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array)
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {}
}

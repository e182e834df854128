import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, type CreateBucketCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { S3StoreConfig } from '../../src/stores/open.js'
import { minioBinary } from './minio-binary.js'
import type { Owner } from './owner.js'
import { freePort } from './port.js'

/** A real MinIO on a port of 127.0.0.1; it ends with its owner, and with the owner's process. */
export interface Minio {
  readonly endpoint: string
  readonly port: number
  /** Of the process that runs now. */
  readonly pid: number | undefined
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Another client than the one under test. */
  readonly client: S3Client
  /** With TLS: the certificate that a client has to trust. */
  readonly certificate: string | undefined
  /** Makes a bucket of its own, and a configuration for it. */
  bucket(options?: Partial<CreateBucketCommandInput>): Promise<S3StoreConfig>
  /** Uploads in parts that are not ended, as they lie on disk: a listing over S3 shows only those of an exact key. */
  uploads(): string[]
  /** SIGKILL: what a power cut leaves. */
  kill(): Promise<void>
  /** Again, on the same port and data. */
  start(): Promise<void>
}

export interface MinioOptions {
  readonly tls?: true
  readonly env?: NodeJS.ProcessEnv
  /** Where its data goes, in a folder of its own that goes with it; default: the system's temporary folder. */
  readonly under?: string
}

const mostTries = 3

/** @param owner ends it; building MinIO for the first time may take minutes */
export async function startMinio(owner: Owner, options: MinioOptions = {}): Promise<Minio> {
  const binary = await minioBinary()
  const folder = mkdtempSync(join(options.under ?? tmpdir(), 'arc-backup-minio-'))
  const data = join(folder, 'data')
  const certs = join(folder, 'certs')
  mkdirSync(data)
  mkdirSync(certs)
  const certificate = options.tls && makeCertificate(certs)
  let port = await freePort()
  const endpointOf = (): string => `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const credentials = { accessKeyId: 'arc-test-key', secretAccessKey: randomUUID() }
  let child: ChildProcess | undefined

  const start = async (): Promise<void> => {
    // The kernel ends it when this process is gone, however that went.
    const args = ['--pdeathsig', 'KILL', binary, 'server', '--quiet', '--address', `127.0.0.1:${port}`]
    child = spawn('setpriv', [...args, '--certs-dir', certs, data], {
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        MINIO_ROOT_USER: credentials.accessKeyId,
        MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    await ready(child, endpointOf())
  }
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  let client: S3Client | undefined
  owner.teardown(async () => {
    client?.destroy()
    await kill()
    rmSync(folder, { recursive: true, force: true })
  })
  for (let tries = 1; ; tries += 1) {
    try {
      await start()
      break
    } catch (error) {
      // Somebody else had it first.
      if (tries === mostTries || !/port is already in use|address already in use/i.test(String(error))) throw error
      port = await freePort()
    }
  }
  const endpoint = endpointOf()
  const trust = certificate && { requestHandler: { httpsAgent: { ca: readFileSync(certificate) } } }
  client = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true, credentials, ...trust })
  return {
    endpoint,
    port,
    get pid() {
      return child?.pid
    },
    credentials,
    client,
    certificate,
    start,
    kill,
    async bucket(bucketOptions) {
      const bucket = `b-${randomUUID()}`
      await client.send(new CreateBucketCommand({ Bucket: bucket, ...bucketOptions }))
      const patience = { retryTimeoutMs: 5_000, stallTimeoutMs: 5_000 }
      return {
        kind: 's3',
        bucket,
        prefix: '',
        region: 'us-east-1',
        endpoint,
        pathStyle: true,
        credentials,
        ...patience,
      }
    },
    uploads: () => listUploads(join(data, '.minio.sys', 'multipart')),
  }
}

/** `<hash of bucket and key>/<upload id>` */
function listUploads(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((hash) => readdirSync(join(folder, hash)).map((id) => `${hash}/${id}`))
  } catch {
    return []
  }
}

async function ready(child: ChildProcess, endpoint: string): Promise<void> {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (said += String(text)))
  for (let tries = 0; tries < 600; tries += 1) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`MinIO ended: ${said}`)
    if ((await answer(`${endpoint}/minio/health/ready`)) === 200 && (await answer(endpoint)) !== 503) return
    await sleep(50)
  }
  throw new Error(`MinIO gave no answer in 30 s: ${said}`)
}

/**
 * The status of an answer, if there is one; who answers does not matter: no certificate is looked at. Ready, by its own word, it may still answer requests with 503 (`XMinioServerNotInitialized`); nobody's request is
 * refused with another status once it is.
 */
function answer(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const get = url.startsWith('https:') ? https.get : http.get
    get(url, { rejectUnauthorized: false, timeout: 2000 }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', () => resolve(undefined))
      .on('timeout', () => resolve(undefined))
  })
}

function makeCertificate(folder: string): string {
  const certificate = join(folder, 'public.crt')
  const key = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', join(folder, 'private.key'), '-out', certificate]
  execFileSync('openssl', [...key, ...name, ...files], { stdio: 'ignore' })
  return certificate
}

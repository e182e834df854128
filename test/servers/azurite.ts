import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { AzureStoreConfig } from '../../src/stores/open.js'
import type { Certificate } from '../support/certificates.js'
import type { Owner } from './owner.js'

/** The emulator's own account: published, the same everywhere, and the one that rclone's emulator flag knows. */
const account = 'devstoreaccount1'
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js')
/** Runs inside the server's process: its standard input ends with the process that started it, however that one dies. */
const endWithParent = 'data:text/javascript,process.stdin.on("end",()=>process.exit()).resume()'

/** A real Azurite on a port of its own. */
export class Azurite {
  readonly account = account
  readonly accountKey = accountKey
  readonly #folder: string | undefined
  readonly #certificate: Certificate | undefined
  #child: ChildProcess | undefined
  #port = 0

  private constructor(folder: string | undefined, certificate: Certificate | undefined) {
    this.#folder = folder
    this.#certificate = certificate
  }

  /**
   * @param folder where its data goes, so that it is there again after `stop` and `start`; absent: memory
   * @param certificate it speaks TLS, and takes the tokens of identities: it looks at their time, issuer and audience, not at their signature
   */
  static async start(owner: Owner, folder?: string, certificate?: Certificate): Promise<Azurite> {
    const server = new Azurite(folder, certificate)
    owner.teardown(() => server.kill())
    await server.start()
    return server
  }

  get port(): number {
    return this.#port
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get endpoint(): string {
    return `${this.#certificate ? 'https' : 'http'}://127.0.0.1:${this.#port}/${account}`
  }

  get connectionString(): string {
    const parts = [
      `DefaultEndpointsProtocol=${this.endpoint.split(':')[0]}`,
      `AccountName=${account}`,
      `AccountKey=${accountKey}`,
    ]
    return [...parts, `BlobEndpoint=${this.endpoint}`].join(';')
  }

  /** Starts it, the second time on the same port. */
  async start(): Promise<void> {
    const place = this.#folder === undefined ? ['--inMemoryPersistence'] : ['--location', this.#folder]
    const { certFile, keyFile } = this.#certificate ?? {}
    const safe = certFile && keyFile ? ['--cert', certFile, '--key', keyFile, '--oauth', 'basic'] : []
    const own = ['--skipApiVersionCheck', '--disableTelemetry', '--silent', '--blobPort', `${this.#port}`]
    const args = [...own, ...place, ...safe]
    this.#child = spawn(process.execPath, ['--import', endWithParent, program, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Its coverage is nobody's business, and slows it; a variable that is absent Node would hand on all the same.
      env: { ...process.env, NODE_V8_COVERAGE: '' },
    })
    const [, port] = await this.#says(/successfully listens on https?:\/\/127\.0\.0\.1:(\d+)/)
    this.#port = Number(port)
  }

  /** At once, in the middle of whatever it does. It writes its index every 5 s only: what was stored last may be lost with it. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** Once it has written its index; connections that are open then are cut. */
  async stop(): Promise<void> {
    const closed = this.#says(/successfully closed/)
    this.#child?.kill('SIGTERM')
    await closed
    await this.kill()
  }

  async #says(pattern: RegExp): Promise<RegExpExecArray> {
    let output = ''
    for await (const text of this.#child?.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
      output += text
      const found = pattern.exec(output)
      if (found) return found
    }
    throw new Error(`azurite ended before it said ${pattern}: ${output}`)
  }

  /** A container of its own name, as the plain SDK sees it. */
  async container(name = `t-${randomUUID()}`): Promise<ContainerClient> {
    const container = this.client(name)
    await container.create()
    return container
  }

  /** The plain SDK. It tries again: Azurite closes a connection that was idle for 5 s, at times just as a request is sent. */
  client(container: string): ContainerClient {
    const key = new StorageSharedKeyCredential(account, accountKey)
    return new ContainerClient(`${this.endpoint}/${container}`, key, {
      retryOptions: { maxTries: 3, retryDelayInMs: 50 },
    })
  }

  /** How the store reaches it, with the account's key. */
  config(container: string, more: Partial<AzureStoreConfig> = {}): AzureStoreConfig {
    return {
      kind: 'azure',
      container,
      prefix: '',
      endpoint: this.endpoint,
      credential: { kind: 'account-key', account, accountKey },
      retryTimeoutMs: 20_000,
      stallTimeoutMs: 20_000,
      ...more,
    }
  }
}

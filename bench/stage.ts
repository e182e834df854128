import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { writeTokens } from './arc-data.js'
import { Client, type Json } from './client.js'
import { cpuSeconds, peakMemory, resetPeakMemory } from './process-cost.js'
import { type ServiceProcess, startServiceProcess } from './service-process.js'

const run = promisify(execFile)
const token = 'a-token-for-benches-of-more-than-32-characters'
/** How often the end is looked for, in ms: the error of a time; each look costs both sides a millisecond. */
export const pollPeriod = 25

/** Time and cost of one operation. */
export interface Cost {
  /** Seconds from the request to the end of `sync -f`. */
  readonly wall: number
  /** CPU seconds. */
  readonly cpu: number
  /** Bytes of resident memory at most; 0 for `cp`. */
  readonly memory: number
}

/** Two services over one destination: one backs up the source, the other restores into an empty root. */
export class Stage {
  readonly folder: string
  readonly source: string
  readonly restored: string
  readonly #services: { backup: ServiceProcess; restore: ServiceProcess }

  private constructor(folder: string, services: { backup: ServiceProcess; restore: ServiceProcess }) {
    this.folder = folder
    this.source = `${folder}/source`
    this.restored = `${folder}/restored`
    this.#services = services
  }

  static async open(folder: string): Promise<Stage> {
    mkdirSync(`${folder}/restored`, { recursive: true })
    writeTokens(`${folder}/arc.db`, token)
    const start = (name: string, storage: string): Promise<ServiceProcess> => {
      const config = `${folder}/${name}.toml`
      writeFileSync(config, configText(folder, name, storage))
      return startServiceProcess(config)
    }
    return new Stage(folder, { backup: await start('backup', 'source'), restore: await start('restore', 'restored') })
  }

  get backupClient(): Client {
    return new Client(this.#services.backup.url, token)
  }

  /** Where the service that backs up is reached. */
  get access(): { url: string; token: string } {
    return { url: this.#services.backup.url, token }
  }

  get database(): string {
    return `${this.folder}/arc.db`
  }

  /** `cp -r` of the source into a fresh folder, which is gone afterwards. */
  async copy(): Promise<Cost> {
    const target = `${this.folder}/copy`
    await this.#settle()
    const began = performance.now()
    const script = 'TIMEFORMAT="%U %S"; time cp -r "$1" "$2"; sync -f "$2"'
    const { stderr } = await run('bash', ['-c', script, 'cp', this.source, target])
    const wall = (performance.now() - began) / 1000
    rmSync(target, { recursive: true })
    return {
      wall,
      cpu: stderr
        .trim()
        .split(' ')
        .map(Number)
        .reduce((sum, part) => sum + part, 0),
      memory: 0,
    }
  }

  async backUp(): Promise<Cost & { id: string; status: Json }> {
    const { cost, started, status } = await this.#measure(this.#services.backup, '', {})
    return { ...cost, id: String(started.backup_id), status }
  }

  async restore(id: string): Promise<Cost & { status: Json }> {
    rmSync(this.restored, { recursive: true })
    mkdirSync(this.restored)
    const { cost, status } = await this.#measure(this.#services.restore, '/restore', {
      backup_id: id,
      confirm: true,
      restore_metadata: false,
    })
    return { ...cost, status }
  }

  /** @throws where the copies differ from the source */
  checkEqual(id: string): void {
    const expected = hashAll(this.source)
    for (const copy of [`${this.folder}/backups/${id}/data`, this.restored]) {
      if (hashAll(copy) !== expected) throw new Error(`${copy} differs from ${this.source}`)
    }
  }

  async delete(id: string): Promise<void> {
    await this.backupClient.call('DELETE', `/${id}`)
    // The files go after the answer: another operation is refused until they are gone.
    while (execFileSync('ls', [`${this.folder}/backups`], { encoding: 'utf8' }).includes(id)) await sleep(20)
  }

  async close(): Promise<void> {
    await Promise.all([this.#services.backup.stop(), this.#services.restore.stop()])
  }

  async #measure(
    service: ServiceProcess,
    path: string,
    body: Json,
  ): Promise<{ cost: Cost; started: Json; status: Json }> {
    const client = new Client(service.url, token)
    await client.call('GET', '/status')
    await this.#settle()
    resetPeakMemory(service.pid)
    const before = cpuSeconds(service.pid)
    const began = performance.now()
    const started = await client.call('POST', path, body)
    const status = await client.waitForEnd(pollPeriod)
    await run('sync', ['-f', this.folder])
    const wall = (performance.now() - began) / 1000
    return { cost: { wall, cpu: cpuSeconds(service.pid) - before, memory: peakMemory(service.pid) }, started, status }
  }

  /** What earlier work left to be written must not be paid by the next. */
  async #settle(): Promise<void> {
    await run('sync', ['-f', this.folder])
  }
}

function hashAll(folder: string): string {
  const script = 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 -P 2 -n 256 sha256sum | sort | sha256sum'
  return execFileSync('bash', ['-c', script, 'hash', folder], { encoding: 'utf8' })
}

function configText(folder: string, name: string, storage: string): string {
  return `[storage]
local_path = "${folder}/${storage}"
[auth]
db_path = "${folder}/arc.db"
[retention]
db_path = "${folder}/arc.db"
[continuous_query]
db_path = "${folder}/arc.db"
[backup]
local_path = "${folder}/backups"
state_path = "${folder}/state-${name}"
host = "127.0.0.1"
port = 0
`
}

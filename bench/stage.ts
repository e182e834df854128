import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { writeTokens } from './arc-data.js'
import { Client, type Json } from './client.js'
import { cpuSeconds, machineSeconds, peakMemory, resetPeakMemory } from './process-cost.js'
import { type ServiceProcess, startServiceProcess } from './service-process.js'
import type { ProcessCost } from './timed-process.js'

const run = promisify(execFile)
const token = 'a-token-for-benches-of-more-than-32-characters'
/** How often the status is asked for when an operation has ended, in ms. */
const pollPeriod = 25

/** Time and cost of one operation: seconds from the request to the end of `sync -f`, CPU seconds, bytes of resident memory at most. */
export interface Cost extends ProcessCost {
  /** CPU seconds of the store's server. */
  readonly server: number
}

export interface StageOptions {
  /** Folder for CPU profiles of the services. */
  readonly profile?: string
  /** Lines of a table for the place for backups; default: a folder. */
  readonly target?: string
  /** Process of the server that is behind it. */
  readonly server?: () => number
  /** Can the services say how late their event loops are? */
  readonly watched?: true
  /** More lines of `[backup]`. */
  readonly settings?: string
}

/** Which of the two services. */
export type Role = 'backup' | 'restore'

/** Two services over one destination: one backs up the source, the other restores into an empty root. */
export class Stage {
  readonly folder: string
  readonly source: string
  readonly restored: string
  readonly services: Readonly<Record<Role, ServiceProcess>>
  readonly #options: StageOptions

  private constructor(folder: string, services: Record<Role, ServiceProcess>, options: StageOptions) {
    this.folder = folder
    this.source = `${folder}/source`
    this.restored = `${folder}/restored`
    this.services = services
    this.#options = options
  }

  static async open(folder: string, options: StageOptions = {}): Promise<Stage> {
    mkdirSync(`${folder}/restored`, { recursive: true })
    writeTokens(`${folder}/arc.db`, token)
    const start = (name: Role, storage: string): Promise<ServiceProcess> => {
      const config = `${folder}/${name}.toml`
      writeFileSync(config, configText(folder, name, storage, options))
      return startServiceProcess(config, {
        ...(options.watched && { watched: true }),
        ...(options.profile !== undefined && { profile: `${options.profile}/${name}` }),
      })
    }
    const services = { backup: await start('backup', 'source'), restore: await start('restore', 'restored') }
    return new Stage(folder, services, options)
  }

  get backupClient(): Client {
    return new Client(this.services.backup.url, token)
  }

  /** Where a service is reached. */
  access(role: Role): { url: string; token: string } {
    return { url: this.services[role].url, token }
  }

  get database(): string {
    return `${this.folder}/arc.db`
  }

  /** With nothing taken from an earlier one, unless the request says so. */
  async backUp(request: Json = { incremental: false }): Promise<Cost & { id: string; status: Json }> {
    const { cost, started, status } = await this.#measure('backup', '', request)
    return { ...cost, id: String(started.backup_id), status }
  }

  /** Into an empty root. @param request what else the restore is asked for */
  async restore(id: string, request: Json = {}): Promise<Cost & { status: Json }> {
    this.emptyRestored()
    return this.#restore('restore', id, request)
  }

  emptyRestored(): void {
    rmSync(this.restored, { recursive: true })
    mkdirSync(this.restored)
  }

  /** Over the source itself. */
  async restoreOver(id: string, request: Json = {}): Promise<Cost & { status: Json }> {
    return this.#restore('backup', id, request)
  }

  async verify(id: string): Promise<Cost & { status: Json }> {
    const { pid, operationEnd } = this.services.backup
    const client = this.backupClient
    let operation = ''
    const cost = await this.#cost(pid, async () => {
      const ended = operationEnd()
      operation = String((await client.call('POST', `/${id}/verify`, { level: 'full' })).operation_id)
      await ended
    })
    return { ...cost, status: await client.call('GET', `/operations/${operation}`) }
  }

  /** Both what was restored and, where that is on this machine, these backups. @param expected `hashAll` of the source @throws where one differs from the source */
  checkEqual(ids: readonly string[], expected = hashAll(this.source)): void {
    const kept = this.#options.target === undefined ? ids.map((id) => `${this.folder}/backups/${id}/data`) : []
    for (const copy of [...kept, this.restored]) {
      if (hashAll(copy) !== expected) throw new Error(`${copy} differs from ${this.source}`)
    }
  }

  async delete(id: string): Promise<void> {
    await this.backupClient.call('DELETE', `/${id}`)
  }

  /** All backups, as a client asks for them. */
  async list(): Promise<Cost> {
    return this.#cost(this.services.backup.pid, async () => {
      await this.backupClient.call('GET', '')
    })
  }

  /** Until its last file is gone: a delete of many files is answered before. */
  async deleteWhole(id: string): Promise<Cost> {
    return this.#cost(this.services.backup.pid, async () => {
      await this.delete(id)
      await this.backupClient.waitForSlot()
    })
  }

  async close(): Promise<void> {
    await Promise.all([this.services.backup.stop(), this.services.restore.stop()])
  }

  async #restore(role: Role, id: string, request: Json): Promise<Cost & { status: Json }> {
    const body = { backup_id: id, confirm: true, restore_metadata: false, ...request }
    const { cost, status } = await this.#measure(role, '/restore', body)
    return { ...cost, status }
  }

  async #measure(role: Role, path: '' | '/restore', body: Json): Promise<{ cost: Cost; started: Json; status: Json }> {
    const { pid, url, operationEnd } = this.services[role]
    const client = new Client(url, token)
    await client.call('GET', '/status')
    let started: Json = {}
    const cost = await this.#cost(pid, async () => {
      ;[, started] = await Promise.all([operationEnd(), client.start(path, body)])
    })
    return { cost, started, status: await client.waitForEnd(pollPeriod) }
  }

  /** What a service's work costs, to the end of `sync -f`. */
  async #cost(pid: number, work: () => Promise<void>): Promise<Cost> {
    const { server } = this.#options
    await this.settle()
    resetPeakMemory(pid)
    const cpu = (): readonly [ours: number, servers: number] => [cpuSeconds(pid), server ? cpuSeconds(server()) : 0]
    const before = cpu()
    const machine = machineSeconds()
    const began = performance.now()
    await work()
    await run('sync', ['-f', this.folder])
    const wall = (performance.now() - began) / 1000
    const after = cpu()
    return {
      wall,
      cpu: after[0] - before[0],
      machine: machineSeconds() - machine,
      server: after[1] - before[1],
      memory: peakMemory(pid),
    }
  }

  /** What earlier work left to be written must not be paid by the next. */
  async settle(): Promise<void> {
    await run('sync', ['-f', this.folder])
  }
}

/** One hash of the names and the contents of all files below a folder, by `sha256sum`: on all cores, also where there are few files. */
export function hashAll(folder: string): string {
  const cores = availableParallelism()
  const script = [
    'cd "$1"',
    `most=$(( ($(find . -type f | wc -l) + ${cores - 1}) / ${cores} ))`,
    'most=$(( most < 1 ? 1 : most > 256 ? 256 : most ))',
    `find . -type f -print0 | sort -z | xargs -0 -P ${cores} -n $most sha256sum | sort | sha256sum`,
  ].join(' && ')
  return execFileSync('bash', ['-c', script, 'hash', folder], { encoding: 'utf8' })
}

function configText(folder: string, name: Role, storage: string, { target, settings = '' }: StageOptions): string {
  return `[storage]
local_path = "${folder}/${storage}"
[auth]
db_path = "${folder}/arc.db"
[retention]
db_path = "${folder}/arc.db"
[continuous_query]
db_path = "${folder}/arc.db"
[backup]
${target === undefined ? `local_path = "${folder}/backups"` : 'default_target = "remote"\nlocal_path = ""'}
state_path = "${folder}/state-${name}"
host = "127.0.0.1"
port = 0
${settings}
${target === undefined ? '' : `[backup.targets.remote]\n${target}`}`
}

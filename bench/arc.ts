import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../test/servers/port.js'
import { Client, type Json } from './client.js'
import { cpuSeconds, machineSeconds, peakMemory, resetPeakMemory } from './process-cost.js'
import type { ProcessCost } from './timed-process.js'

const token = 'a-token-for-benches-of-more-than-32-characters'
/** How often Arc is asked whether it is done, in ms. */
const pollPeriod = 20
/** How long it may take to start, in ms. */
const patience = 60_000

/** Arc itself, in a process of its own: its backup and restore by its REST API, timed from outside. */
export class Arc {
  readonly #child: ChildProcess
  readonly #client: Client
  readonly #pid: number

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.#client = new Client(url, token)
    this.#pid = child.pid ?? 0
  }

  /** Arc's program, where one is named. */
  static get program(): string | undefined {
    return process.env.ARC_BIN
  }

  /** @param home for its own files @param storage its data @param backups where it puts backups */
  static async start(home: string, storage: string, backups: string): Promise<Arc> {
    const program = Arc.program
    if (program === undefined) throw new Error('ARC_BIN names no Arc')
    const port = await freePort()
    mkdirSync(home, { recursive: true })
    // Without such a file it takes the next one that it finds.
    writeFileSync(`${home}/arc.toml`, `[server]\nport = ${port}\n`)
    const child = spawn(program, [], {
      cwd: home,
      env: {
        PATH: process.env.PATH,
        HOME: home,
        ARC_SERVER_HOST: '127.0.0.1',
        ARC_LOG_LEVEL: 'warn',
        ARC_TELEMETRY_ENABLED: 'false',
        ARC_COMPACTION_ENABLED: 'false',
        ARC_DATABASE_MEMORY_LIMIT: '1GB',
        ARC_AUTH_BOOTSTRAP_TOKEN: token,
        ARC_AUTH_DB_PATH: `${home}/arc.db`,
        ARC_STORAGE_LOCAL_PATH: storage,
        ARC_BACKUP_LOCAL_PATH: backups,
      },
      stdio: 'ignore',
    })
    const arc = new Arc(child, `http://127.0.0.1:${port}`)
    process.once('exit', arc.#kill)
    try {
      await arc.#ready(`http://127.0.0.1:${port}/health`)
    } catch (error) {
      await arc.stop()
      throw error
    }
    return arc
  }

  /** All data files and nothing else. @returns what it cost, and the backup's id */
  async backUp(): Promise<ProcessCost & { id: string }> {
    const { cost, status } = await this.#measure('', { include_metadata: false, include_config: false })
    return { ...cost, id: String(status.backup_id) }
  }

  async restore(id: string): Promise<ProcessCost> {
    return (await this.#measure('/restore', { backup_id: id, confirm: true, restore_metadata: false })).cost
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#kill()
    await ended
  }

  readonly #kill = (): void => {
    this.#child.kill('SIGKILL')
  }

  async #measure(path: '' | '/restore', body: Json): Promise<{ cost: ProcessCost; status: Json }> {
    resetPeakMemory(this.#pid)
    const before = cpuSeconds(this.#pid)
    const machine = machineSeconds()
    const began = performance.now()
    await this.#client.call('POST', path, body)
    const status = await this.#client.waitForEnd(pollPeriod)
    const wall = (performance.now() - began) / 1000
    const cpu = cpuSeconds(this.#pid) - before
    return { cost: { wall, cpu, machine: machineSeconds() - machine, memory: peakMemory(this.#pid) }, status }
  }

  async #ready(health: string): Promise<void> {
    for (const until = Date.now() + patience; ; await sleep(100)) {
      const answer = await fetch(health).catch(() => null)
      await answer?.text()
      if (answer?.ok) return
      if (this.#child.exitCode !== null || Date.now() > until) throw new Error(`Arc did not start: ${Arc.program}`)
    }
  }
}

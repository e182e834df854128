import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { promisify } from 'node:util'
import { cpuSeconds } from './process-cost.js'
import type { Cost } from './stage.js'
import type { RemotePlace, StoreServer } from './store-server.js'
import { runTimed } from './timed-process.js'

/** `rclone v1.76.0`, or null where it is not on PATH. */
export function rcloneVersion(): string | null {
  try {
    return execFileSync('rclone', ['version'], { encoding: 'utf8' }).split('\n')[0] ?? ''
  } catch {
    return null
  }
}

/** `rclone copy` there and back. */
export class Rclone {
  readonly #server: StoreServer
  readonly #root: string
  readonly #env: NodeJS.ProcessEnv
  readonly #transfers: string

  /** @param transfers files in flight */
  constructor(server: StoreServer, { rclone }: RemotePlace, transfers: number) {
    this.#server = server
    this.#root = `bench:${rclone.root}/rclone-${transfers}`
    // Nothing of the caller's own settings: a proxy or a certificate of theirs would count for one side only.
    this.#env = { PATH: process.env.PATH, RCLONE_CONFIG: '/dev/null', ...rclone.env }
    this.#transfers = String(transfers)
  }

  upload(folder: string): Promise<Cost> {
    return this.#copy(folder, this.#root)
  }

  /** Into a folder that is made fresh. */
  async download(folder: string): Promise<Cost> {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    return this.#copy(this.#root, folder)
  }

  async purge(): Promise<void> {
    await promisify(execFile)('rclone', ['purge', this.#root], { env: this.#env })
  }

  async #copy(from: string, to: string): Promise<Cost> {
    const before = cpuSeconds(this.#server.pid)
    const args = ['copy', from, to, '--transfers', this.#transfers, '--checkers', this.#transfers]
    const cost = await runTimed('rclone', args, this.#env)
    return { ...cost, server: cpuSeconds(this.#server.pid) - before }
  }
}

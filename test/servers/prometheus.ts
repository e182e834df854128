import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Owner } from './owner.js'
import { freePort } from './port.js'

/** Samples of one series, as [seconds, value]. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

/** A real Prometheus on a port of 127.0.0.1; it ends with its owner, and with the owner's process. */
export interface Prometheus {
  /** What its API answers as data. @throws where it does not accept the question */
  get(path: string, parameters?: Record<string, string>): Promise<unknown>
  /** As a panel asks for it. Times in seconds since the epoch. */
  range(expression: string, start: number, end: number): Promise<Series[]>
  /** As a single number is asked for. */
  instant(expression: string): Promise<Series[]>
}

/** @param edit changes the configuration: its folder is copied, so that `rule_files` are there too */
export async function startPrometheus(
  owner: Owner,
  configFolder: string,
  edit: (config: string) => string,
): Promise<Prometheus> {
  checkInstalled()
  const folder = mkdtempSync(join(tmpdir(), 'arc-backup-prometheus-'))
  cpSync(configFolder, folder, { recursive: true })
  const config = join(folder, 'prometheus.yml')
  writeFileSync(config, edit(readFileSync(config, 'utf8')))
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'prometheus', '--log.level=warn', `--web.listen-address=${address}`],
      ...[`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said += String(text)
  })
  owner.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    rmSync(folder, { recursive: true, force: true })
  })
  for (let tries = 0; !(await isReady(address)); tries += 1) {
    if (child.exitCode !== null || tries === 600) throw new Error(`Prometheus did not start: ${said}`)
    await sleep(100)
  }
  const get: Prometheus['get'] = async (path, parameters = {}) => {
    const answer = await fetch(`http://${address}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const { status, data, error } = (await answer.json()) as { status: string; data: unknown; error?: string }
    if (status !== 'success') throw new Error(`${JSON.stringify(parameters)}: ${error}`)
    return data
  }
  return {
    get,
    range: async (query, start, end) =>
      ((await get('query_range', { query, start: `${start}`, end: `${end}`, step: '0.25' })) as { result: Series[] })
        .result,
    instant: async (query) => {
      type Vector = { result: { metric: Series['metric']; value: readonly [number, string] }[] }
      return ((await get('query', { query })) as Vector).result.map(({ metric, value }) => ({
        metric,
        values: [value],
      }))
    },
  }
}

/** @throws an error that names the package */
export function checkInstalled(): void {
  try {
    execFileSync('prometheus', ['--version'], { stdio: 'ignore' })
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
  } catch (error) {
    const way = "install Debian's package `prometheus`, or put `prometheus` and `promtool` on PATH"
    throw new Error(`these tests need a real Prometheus: ${way} (${String(error)})`, { cause: error })
  }
}

async function isReady(address: string): Promise<boolean> {
  return fetch(`http://${address}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  )
}

import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { randomFrom } from './random.js'

// A process that does to a storage what Arc does: writes raw files, merges those of an hour and then of a day, rewrites files that rows are deleted from. It
// tells its parent what rows each day partition has, after each change. Arguments: storage root, seed. Messages: `go`, `rest`.

/** What the parent hears. */
export type CompactorMessage =
  | { readonly kind: 'rows'; readonly partition: string; readonly rows: string }
  | { readonly kind: 'resting'; readonly done: Readonly<Record<string, number>> }

const partitions = ['cpu', 'mem', 'net', 'disk'].flatMap((name) =>
  ['02', '03', '04', '05', '06'].map((day) => `metrics/${name}/2026/01/${day}`),
)
const hours = ['00', '07', '13', '23']
const rowsPerFile = 20
/** Arc merges no more at once. */
const mostInputs = 30

/** Ids of the rows of each file that lies there, by its path: what the storage says without its half-done jobs. */
const files = new Map<string, number[]>()
/** Jobs that were given up in the middle, as by an Arc that died: state file and inputs that are left. */
const abandoned: { state: string; left: string[] }[] = []
const done: Record<string, number> = {}

class Compactor {
  readonly #root: string
  readonly #random: () => number
  readonly #db: DuckDBConnection
  readonly #nextId = new Map<string, number>()
  #number = 0

  constructor(root: string, seed: number, db: DuckDBConnection) {
    this.#root = root
    this.#random = randomFrom(seed)
    this.#db = db
  }

  /** Something that Arc might do next. */
  async step(): Promise<void> {
    const partition = this.#pick(partitions)
    const chance = this.#random()
    if (chance < 0.45) await this.ingest(partition)
    else if (chance < 0.75) await this.#mergeHour(partition)
    else if (chance < 0.85) await this.#mergeDay(partition)
    else if (chance < 0.95) await this.#deleteRows(partition)
    else await this.#recover()
  }

  /** Raw files: of one hour or another, as rows come late too. */
  async ingest(partition: string): Promise<void> {
    for (let count = 1 + Math.floor(this.#random() * 4); count > 0; count -= 1) {
      const hour = this.#pick(hours)
      const first = this.#nextId.get(partition) ?? 1
      this.#nextId.set(partition, first + rowsPerFile)
      const ids = Array.from({ length: rowsPerFile }, (_, index) => first + index)
      const source = `SELECT range AS id, range * 1000000 AS time, 'host' || (range % 7) AS host FROM range(${first}, ${first + rowsPerFile})`
      await this.#write(`${partition}/${hour}/${this.#name(partition)}.parquet`, source, ids)
      this.#tell(partition)
      note('raw files')
    }
  }

  async #mergeHour(partition: string): Promise<void> {
    const hour = this.#pick(hours)
    const inputs = this.#free(`${partition}/${hour}/`).filter((path) => !path.includes('_compacted'))
    if (inputs.length > 1)
      await this.#merge(
        'hourly',
        partition,
        inputs,
        `${partition}/${hour}/${this.#name(partition)}_b0_compacted.parquet`,
      )
  }

  async #mergeDay(partition: string): Promise<void> {
    const inputs = this.#free(`${partition}/`)
    if (inputs.length > 1)
      await this.#merge('daily', partition, inputs, `${partition}/${this.#name(partition)}_daily.parquet`)
  }

  /** State file, merged file, inputs, state file: Arc's order. Some jobs are given up in the middle. */
  async #merge(tier: string, partition: string, all: readonly string[], output: string): Promise<void> {
    const inputs = all.slice(0, mostInputs)
    const list = inputs.map((path) => `'${this.#root}/${path}'`).join()
    const staged = await this.#stage(`SELECT * FROM read_parquet([${list}])`)
    const state = `_compaction_state/${tier}/metrics/${partition.replaceAll('/', '_')}_${this.#number}.json`
    const job = { output_path: output, output_size: statSync(staged).size, input_files: inputs, status: 'pending' }
    writeFileSync(`${staged}.json`, JSON.stringify(job, null, 2))
    this.#show(`${staged}.json`, state)
    await this.#pause()
    const ids = inputs.flatMap((path) => files.get(path) ?? [])
    this.#show(staged, output)
    files.set(output, ids)
    for (const path of inputs) files.delete(path)
    await this.#pause()
    const left = this.#random() < 0.1 ? inputs.slice(Math.floor(this.#random() * inputs.length)) : []
    for (const path of inputs.slice(0, inputs.length - left.length)) {
      rmSync(`${this.#root}/${path}`)
      if (this.#random() < 0.2) await this.#pause()
    }
    note(left.length > 0 ? 'merges given up' : 'merges')
    if (left.length > 0) abandoned.push({ state, left: [...left] })
    else rmSync(`${this.#root}/${state}`)
  }

  /** What Arc does with the oldest job that it finds given up. */
  async #recover(): Promise<void> {
    const job = abandoned.shift()
    for (const path of job?.left ?? []) rmSync(`${this.#root}/${path}`)
    await this.#pause()
    if (job) rmSync(`${this.#root}/${job.state}`)
  }

  /** Arc's delete API writes the rows that stay under the same name. */
  async #deleteRows(partition: string): Promise<void> {
    const paths = this.#free(`${partition}/`)
    if (paths.length === 0) return
    const path = this.#pick(paths)
    const rest = Math.floor(this.#random() * 5)
    const ids = (files.get(path) ?? []).filter((id) => id % 5 !== rest)
    if (ids.length === 0) return
    await this.#write(path, `SELECT * FROM read_parquet('${this.#root}/${path}') WHERE id % 5 <> ${rest}`, ids)
    this.#tell(partition)
    note('rewritten files')
  }

  /** Files below a folder that no job holds. */
  #free(folder: string): string[] {
    return [...files.keys()].filter((path) => path.startsWith(folder) && !isHeld(path))
  }

  async #write(path: string, sql: string, ids: number[]): Promise<void> {
    const staged = await this.#stage(sql)
    this.#show(staged, path)
    files.set(path, ids)
  }

  async #stage(sql: string): Promise<string> {
    this.#number += 1
    const staged = `${this.#root}.staging/${this.#number}`
    await this.#db.run(`COPY (${sql}) TO '${staged}' (FORMAT parquet)`)
    return staged
  }

  /** Nothing is ever seen half written: Arc renames too. */
  #show(staged: string, path: string): void {
    mkdirSync(dirname(`${this.#root}/${path}`), { recursive: true })
    renameSync(staged, `${this.#root}/${path}`)
  }

  #tell(partition: string): void {
    let [count, sum, squares] = [0, 0, 0]
    for (const [path, ids] of files) {
      if (!path.startsWith(`${partition}/`)) continue
      for (const id of ids) {
        count += 1
        sum += id
        squares += id * id
      }
    }
    say({ kind: 'rows', partition, rows: `${count} ${sum} ${squares}` })
  }

  #name(partition: string): string {
    const [, measurement = '', ...date] = partition.split('/')
    return `${measurement}_${date.join('')}_000000_${String(this.#number).padStart(9, '0')}`
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[Math.floor(this.#random() * from.length)]
    if (found === undefined) throw new Error('there is nothing to pick from')
    return found
  }

  async #pause(): Promise<void> {
    await sleep(this.#random() * 8)
  }
}

/** Is this in a partition with a job that was given up? Arc touches none of its files before it has recovered. */
function isHeld(path: string): boolean {
  const partition = path.split('/', 5).join('_')
  return abandoned.some(({ state }) => state.includes(partition))
}

function note(what: string): void {
  done[what] = (done[what] ?? 0) + 1
}

function say(message: CompactorMessage): void {
  process.send?.(message)
}

async function main(): Promise<void> {
  const [root = '', seed = '1'] = process.argv.slice(2)
  mkdirSync(`${root}.staging`, { recursive: true })
  const db = await (await DuckDBInstance.create()).connect()
  await db.run('SET threads = 1')
  const compactor = new Compactor(root, Number(seed), db)
  let going = false
  let wake = (): void => {}
  process.on('message', (message) => {
    going = message === 'go'
    wake()
  })
  // The parent's end is this one's.
  process.on('disconnect', () => process.exit(0))
  for (const partition of partitions) for (let turn = 0; turn < 3; turn += 1) await compactor.ingest(partition)
  for (;;) {
    if (!going) {
      say({ kind: 'resting', done })
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if (going) await compactor.step()
  }
}

await main()

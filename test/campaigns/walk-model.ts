import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readCompactionState } from '../../src/format/compaction-state.js'

/** SHA-256 (hex) of every file by its path. */
export type Tree = Record<string, string>

/** What every content that was ever written says, by its hash. */
const contents = new Map<string, string>()

/** What an Arc does to its files: rows come in, are merged, and go. A file is a text with a row in each line. */
export class Source {
  readonly #root: string
  readonly #random: () => number
  #next = 1

  constructor(root: string, random: () => number) {
    this.#root = root
    this.#random = random
  }

  /** Files as they are, without hidden ones. */
  tree(): Tree {
    return treeOf(this.#root)
  }

  /** @param note after each file: somebody may look between two */
  write(note: () => void = () => {}): void {
    for (let count = 1 + Math.floor(this.#random() * 4); count > 0; count -= 1) {
      const rows = Array.from({ length: 1 + Math.floor(this.#random() * 40) }, () => this.#row())
      this.#put(`${this.#partition()}/${this.#pick(['00', '07', '23'])}/${this.#next}.parquet`, rows.join('\n'))
      note()
    }
  }

  /** Rows are deleted, or grow too old. */
  forget(): void {
    const free = Object.keys(this.tree()).filter((path) => isData(path) && !this.#isHeld(path))
    if (free.length < 4) return
    const path = this.#pick(free)
    const rows = readFileSync(`${this.#root}/${path}`, 'utf8').split('\n')
    if (rows.length > 1 && this.#random() < 0.6) this.#put(path, rows.slice(1).join('\n'))
    else rmSync(`${this.#root}/${path}`)
  }

  /** In Arc's order: state file, merged file, inputs, state file. Some are given up in the middle. `pause` comes between two steps. */
  async compact(pause: () => Promise<void>): Promise<void> {
    const partition = this.#partition()
    const inputs = Object.keys(this.tree()).filter((path) => path.startsWith(`${partition}/`) && !this.#isHeld(path))
    if (inputs.length < 2) return
    const last = this.#random() < 0.15 ? Math.floor(this.#random() * 3) : 3
    const output = `${partition}/${this.#next}_daily.parquet`
    this.#next += 1
    const merged = inputs.map((path) => readFileSync(`${this.#root}/${path}`, 'utf8')).join('\n')
    const state = `_compaction_state/daily/${partition.replaceAll('/', '_')}_${this.#next}.json`
    const job = { output_path: output, output_size: Buffer.byteLength(merged), input_files: inputs, status: 'pending' }
    this.#put(state, JSON.stringify(job))
    await pause()
    if (last === 0) return
    this.#put(output, merged)
    await pause()
    if (last === 1) return
    for (const path of inputs.slice(last === 2 ? 1 : 0)) {
      rmSync(`${this.#root}/${path}`)
      await pause()
    }
    if (last === 3) rmSync(`${this.#root}/${state}`)
  }

  /** What Arc does with a job that it finds: its inputs go where the output is whole. */
  recover(): void {
    const tree = this.tree()
    for (const path of Object.keys(tree).filter((name) => name.startsWith('_compaction_state/'))) {
      const job = readCompactionState(contents.get(tree[path] ?? '') ?? '')
      if (job && sizeOf(tree[job.output]) === job.outputSize) {
        for (const input of job.inputs) rmSync(`${this.#root}/${input}`, { force: true })
      }
      rmSync(`${this.#root}/${path}`)
    }
  }

  #isHeld(path: string): boolean {
    const partition = path.split('/', 5).join('_')
    const folder = `${this.#root}/_compaction_state/daily`
    try {
      return readdirSync(folder).some((name) => name.startsWith(`${partition}_`))
    } catch {
      return false
    }
  }

  #partition(): string {
    return `db${Math.floor(this.#random() * 2)}/${this.#pick(['cpu', 'mem'])}/2026/01/${this.#pick(['01', '02', '03'])}`
  }

  #row(): string {
    this.#next += 1
    return `row ${this.#next} ${'x'.repeat(Math.floor(this.#random() * 400))}`
  }

  #put(path: string, text: string): void {
    contents.set(hashOf(text), text)
    mkdirSync(dirname(`${this.#root}/${path}`), { recursive: true })
    // Arc renames too: nothing is seen half written.
    writeFileSync(`${this.#root}.new`, text)
    renameSync(`${this.#root}.new`, `${this.#root}/${path}`)
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[Math.floor(this.#random() * from.length)]
    if (found === undefined) throw new Error('there is nothing to pick from')
    return found
  }
}

/** Every row of each day partition, sorted; inputs that a merged file stands for are not counted. */
export function rowsOf(tree: Tree): Map<string, string> {
  const consumed = new Set<string>()
  for (const [path, hash] of Object.entries(tree)) {
    if (!path.startsWith('_compaction_state/')) continue
    const job = readCompactionState(contents.get(hash) ?? '')
    if (job && sizeOf(tree[job.output]) === job.outputSize) for (const input of job.inputs) consumed.add(input)
  }
  const rows = new Map<string, string[]>()
  for (const [path, hash] of Object.entries(tree)) {
    if (!isData(path) || consumed.has(path)) continue
    const partition = path.split('/', 5).join('/')
    const text = contents.get(hash)
    rows.set(partition, [
      ...(rows.get(partition) ?? []),
      ...(text ?? `${path} is nothing that was written`).split('\n'),
    ])
  }
  return new Map([...rows].map(([partition, found]) => [partition, found.sort().join('\n')]))
}

/** Partitions whose rows are of none of these instants. */
export function ofNoInstant(found: Tree, instants: readonly Tree[]): string[] {
  const backup = rowsOf(found)
  const known = instants.map(rowsOf)
  const partitions = new Set([...backup.keys(), ...known.flatMap((rows) => [...rows.keys()])])
  return [...partitions].filter((name) => !known.some((rows) => (rows.get(name) ?? '') === (backup.get(name) ?? '')))
}

export function treeOf(root: string): Tree {
  const found: Tree = {}
  for (const entry of entriesOf(root)) {
    if (!entry.isFile() || entry.name.startsWith('.')) continue
    const path = `${entry.parentPath}/${entry.name}`
    found[path.slice(root.length + 1)] = hashOf(readFileSync(path))
  }
  return found
}

export function isData(path: string): boolean {
  return path.endsWith('.parquet') && !path.startsWith('_')
}

function entriesOf(root: string) {
  return readdirSync(root, { recursive: true, withFileTypes: true })
}

function sizeOf(hash: string | undefined): number | undefined {
  const text = contents.get(hash ?? '')
  return text === undefined ? undefined : Buffer.byteLength(text)
}

function hashOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

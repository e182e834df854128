import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashTree } from '../support/tree.js'
import type { Body, CrashGround, Victim } from './crash.js'

export interface GenerationsOptions {
  readonly backups: number
  readonly files: number
  /** Bytes of each. */
  readonly size: number
  readonly random: () => number
  /** Folder of the target, where it is on this machine and its room is to be measured. */
  readonly measured?: string
}

/** What became of one step. */
export interface GenerationStep {
  readonly name: string
  readonly wrong: readonly string[]
}

/** Share of the files that change between two backups; half of these are new content under an old name, the others are replaced by files of another name. */
const changing = 0.01
/** Most that all backups may take beyond one of them and what changed. */
const spaceGoal = 1.05

/**
 * Backups in a row of a source that changes a little between them, then each of them removed, in any order. After every step all that is there is verified and, as another
 * client sees it, is what the source was at the time. A last full backup must look like the incremental one before it.
 */
export async function* generations(
  ground: CrashGround,
  options: GenerationsOptions,
): AsyncGenerator<GenerationStep, void, undefined> {
  const { backups, random, measured } = options
  const arc = `${ground.folder}/data/arc`
  const source = new Source(arc, options)
  const victim = await ground.start()
  const expected = new Map<string, Record<string, string>>()
  try {
    let room = 0
    for (let number = 1; number <= backups; number += 1) {
      const changed = number === 1 ? options.files : source.change()
      const { id, status } = await backUp(victim, { include_config: false })
      expected.set(id, hashTree(arc))
      const reused = number === 1 ? 0 : options.files - changed
      const wrong =
        status.reused_files === reused ? [] : [`${status.reused_files} files were taken over, not ${reused}`]
      if (number === 1 && measured) room = roomOf(measured)
      yield { name: `backup ${number}`, wrong: [...wrong, ...(await judge(ground, victim, expected))] }
    }
    if (measured) yield compareRoom(room + source.written, roomOf(measured))
    yield { name: 'layout', wrong: await compareLayouts(ground, victim, [...expected.keys()].at(-1) ?? '') }
    while (expected.size > 0) {
      const ids = [...expected.keys()]
      const id = ids[Math.floor(random() * ids.length)] ?? ''
      await victim.call('DELETE', `/${id}`)
      expected.delete(id)
      yield { name: `delete of one of ${ids.length}`, wrong: await judge(ground, victim, expected) }
    }
  } finally {
    await victim.kill()
  }
}

/** Files in Arc's layout, some of which change. */
class Source {
  /** Bytes that were changed. */
  written = 0
  readonly #root: string
  readonly #size: number
  readonly #random: () => number
  readonly #paths: string[]
  #names: number

  constructor(root: string, { files, size, random }: GenerationsOptions) {
    this.#root = root
    this.#size = size
    this.#random = random
    this.#names = files
    this.#paths = Array.from({ length: files }, (_, index) => pathOf(index))
    for (const path of this.#paths) this.#write(path)
  }

  /** @returns how many files are not what they were */
  change(): number {
    const count = Math.max(2, Math.round(this.#paths.length * changing))
    const chosen = new Set<number>()
    while (chosen.size < count) chosen.add(Math.floor(this.#random() * this.#paths.length))
    for (const [turn, index] of [...chosen].entries()) {
      const old = this.#paths[index] ?? ''
      if (turn % 2 === 1) {
        rmSync(`${this.#root}/${old}`)
        this.#paths[index] = pathOf(this.#names)
        this.#names += 1
      }
      this.#write(this.#paths[index] ?? '')
      this.written += this.#size
    }
    return count
  }

  #write(path: string): void {
    mkdirSync(dirname(`${this.#root}/${path}`), { recursive: true })
    writeFileSync(`${this.#root}/${path}`, randomBytes(this.#size))
  }
}

function pathOf(index: number): string {
  const hour = String(Math.floor(index / 15) % 24).padStart(2, '0')
  const day = String(1 + (Math.floor(index / 360) % 28)).padStart(2, '0')
  return `db/m/2026/01/${day}/${hour}/m_202601${day}_${hour}0000_${String(index).padStart(9, '0')}.parquet`
}

async function backUp(victim: Victim, request: Body): Promise<{ id: string; status: Body }> {
  const { backup_id: id } = await victim.call('POST', '', { include_metadata: false, ...request })
  const status = await ended(() => victim.call('GET', '/status'))
  if (status.outcome !== 'completed') throw new Error(`the backup failed: ${JSON.stringify(status)}`)
  return { id: String(id), status }
}

async function ended(look: () => Promise<Body>): Promise<Body> {
  for (;;) {
    const status = await look()
    if (status.status !== 'running') return status
    await sleep(20)
  }
}

async function judge(
  ground: CrashGround,
  victim: Victim,
  expected: ReadonlyMap<string, Record<string, string>>,
): Promise<string[]> {
  const wrong: string[] = []
  const kept = await ground.target.tree()
  const known = [...new Set(Object.keys(kept).map((path) => path.split('/')[0] ?? ''))]
  for (const id of known.filter((name) => name.startsWith('backup-') && !expected.has(name))) {
    wrong.push(`something is left of ${id}`)
  }
  for (const [id, files] of expected) {
    const prefix = `${id}/data/`
    const found = Object.entries(kept).filter(([path]) => path.startsWith(prefix))
    const data = Object.fromEntries(found.map(([path, hash]) => [path.slice(prefix.length), hash]))
    if (JSON.stringify(sorted(data)) !== JSON.stringify(sorted(files))) wrong.push(`${id} is not what the source was`)
    const { operation_id: operation } = await victim.call('POST', `/${id}/verify`, { level: 'full' })
    const { verified } = await ended(() => victim.call('GET', `/operations/${operation}`))
    if (verified !== 'full') wrong.push(`${id} was verified as ${verified}`)
  }
  return wrong
}

/** The incremental backup beside a full one of the same source: the same files under the same names, and nothing else. */
async function compareLayouts(ground: CrashGround, victim: Victim, incremental: string): Promise<string[]> {
  const { id: full, status } = await backUp(victim, { include_config: false, incremental: false })
  const kept = await ground.target.tree()
  const below = (id: string): [string, string][] =>
    Object.entries(kept)
      .filter(([path]) => path.startsWith(`${id}/`))
      .map(([path, hash]) => [
        path.slice(id.length + 1),
        /^manifest(-files)?\.json$/.test(path.slice(id.length + 1)) ? '' : hash,
      ])
  const [one, other] = [below(incremental), below(full)].map((list) => JSON.stringify(sorted(Object.fromEntries(list))))
  await victim.call('DELETE', `/${full}`)
  return [
    ...(status.reused_files === 0 ? [] : ['the full backup took files over']),
    ...(one === other ? [] : [`${incremental} and ${full} are laid out differently`]),
  ]
}

function sorted(tree: Record<string, string>): [string, string][] {
  return Object.entries(tree).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Bytes on the disk; a file with several names counts once. */
function roomOf(folder: string): number {
  return Number(execFileSync('du', ['-s', '--block-size=1', folder], { encoding: 'utf8' }).split('\t')[0])
}

function compareRoom(expected: number, found: number): GenerationStep {
  const ratio = found / expected
  const name = `room: ${(ratio * 100).toFixed(1)} % of one backup and the changes (${(found / 2 ** 20).toFixed(1)} MiB)`
  return { name, wrong: ratio <= spaceGoal ? [] : [`more than ${spaceGoal * 100} %`] }
}

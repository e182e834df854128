import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { writeParquetSet } from './parquet-set.js'
import type { Peer } from './peers.js'
import { type Measured, printSection, type Section, type Series } from './report.js'
import { type FileSet, writeSet } from './sets.js'
import { hashAll, Stage } from './stage.js'
import { median } from './statistics.js'

export interface LocalBench {
  readonly set: FileSet
  readonly folder: string
  readonly runs: number
  readonly peers: readonly Peer[]
  /** Real Parquet? */
  readonly parquet: boolean
  /** Folder for CPU profiles. */
  readonly profile?: string | undefined
}

/**
 * Our backup, our second backup and our restore beside what else copies the same files, SHA-256 of every byte included; all in turn in each run, each into a fresh
 * place, timed from outside, each followed by `sync -f`; afterwards all that is there is compared by `sha256sum`. The first of the peers is what the others are held against.
 */
export async function measureBesidePeers(bench: LocalBench): Promise<Section[]> {
  const { set, folder, runs, peers, profile } = bench
  const home = `${folder}/${set.name}`
  const stage = await Stage.open(home, profile === undefined ? {} : { profile: `${profile}/${set.name}` })
  const costs = new Costs()
  const phases: Record<Step, Phases[]> = { first: [], second: [], restore: [] }
  let bytes = set.files * set.size
  try {
    if (bench.parquet) bytes = await writeParquetSet(stage.source, set)
    else writeSet(stage.source, set)
    const expected = hashAll(stage.source)
    // The first round warms up: caches, compiled code, and the image's own blocks.
    for (let round = 0; round <= runs; round += 1) {
      const found = (await inTurn(peers, (peer) => runPeer(stage, peer, `${home}/peer`, expected))).flat()
      const ours = await runOurs(stage, set.files, expected)
      if (round === 0) continue
      for (const [step, name, cost] of [...found, ...ours.found]) costs.note(step, name, cost)
      for (const step of steps) phases[step].push(ours.phases[step])
    }
  } finally {
    await stage.close()
    rmSync(home, { recursive: true, force: true })
  }
  const { files } = set
  const reference = costs.series('first').find(({ name }) => name === 'cp -r')
  const limits = reference && limitsOf(reference, bytes)
  const kind = bench.parquet ? 'Parquet files' : 'files'
  const about = `${set.name}: ${files} ${kind} of ${Math.round(bytes / files)} bytes`
  const sections = steps.map((step): Section => {
    const limited = step === 'second' ? {} : limits
    const title = `${titles[step]}, ${about}`
    return { title, files, bytes, series: costs.series(step), phases: mediansOf(phases[step]), ...limited }
  })
  for (const section of sections) printSection(section)
  return sections
}

const own = 'arc-backup'
const steps = ['first', 'second', 'restore'] as const
type Step = (typeof steps)[number]
const titles: Readonly<Record<Step, string>> = {
  first: 'First backup',
  second: 'Second backup, nothing changed',
  restore: 'Restore into an empty root',
}
/** Milliseconds in each phase. */
type Phases = Readonly<Record<string, number>>
type Found = readonly [step: Step, name: string, cost: Measured]

class Costs {
  readonly #costs = new Map<string, Measured[]>()

  note(step: Step, name: string, { wall, cpu, machine = Number.NaN, memory }: Measured): void {
    const key = `${step}\0${name}`
    this.#costs.set(key, [...(this.#costs.get(key) ?? []), { wall, cpu, machine, memory }])
  }

  series(step: Step): Series[] {
    return [...this.#costs].flatMap(([key, runs]) => {
      const [of, name = ''] = key.split('\0')
      return of === step ? [{ name, runs }] : []
    })
  }
}

async function inTurn<T, R>(items: readonly T[], action: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await action(item))
  return results
}

async function runPeer(stage: Stage, peer: Peer, place: string, expected: string): Promise<Found[]> {
  const [{ source }, into] = [stage, `${place}/restored`]
  const found: Found[] = []
  mkdirSync(place, { recursive: true })
  await stage.settle()
  found.push(['first', peer.name, await peer.first(source, place)])
  await stage.settle()
  if (peer.second) found.push(['second', peer.name, await peer.second(source, place)])
  mkdirSync(into)
  await stage.settle()
  found.push(['restore', peer.name, await peer.restore(source, place, into)])
  for (const copy of [peer.copyOf(place), into]) {
    if (copy !== null && hashAll(copy) !== expected) throw new Error(`${peer.name}: ${copy} differs from ${source}`)
  }
  rmSync(place, { recursive: true })
  return found
}

async function runOurs(
  stage: Stage,
  files: number,
  expected: string,
): Promise<{ found: Found[]; phases: Record<Step, Phases> }> {
  const first = await stage.backUp({ incremental: false })
  const second = await stage.backUp({ incremental: true })
  if (second.status.reused_files !== files) throw new Error('the second backup did not take over every file')
  const restore = await stage.restore(first.id)
  stage.checkEqual([first.id, second.id], expected)
  for (const { id } of [first, second]) await stage.deleteWhole(id)
  stage.emptyRestored()
  const phasesOf = ({ status }: typeof restore): Phases => status.phase_ms as Phases
  return {
    found: [
      ['first', own, first],
      ['second', own, second],
      ['restore', own, restore],
    ],
    phases: { first: phasesOf(first), second: phasesOf(second), restore: phasesOf(restore) },
  }
}

function mediansOf(runs: readonly Phases[]): Phases {
  const names = new Set(runs.flatMap((phases) => Object.keys(phases)))
  return Object.fromEntries([...names].map((name) => [name, median(runs.map((phases) => phases[name] ?? 0))]))
}

/** Seconds that the cores need at least for what `cp -r` does and one SHA-256 of every byte. */
function limitsOf({ runs }: Series, bytes: number): Pick<Section, 'limit' | 'fullLimit'> {
  const rate = measureHashRate()
  const least = (seconds: readonly number[]): number => (median(seconds) + bytes / rate) / availableParallelism()
  const limit = least(runs.map(({ cpu }) => cpu))
  const fullLimit = least(runs.map(({ machine = Number.NaN }) => machine))
  const hashes = `one core hashes ${(rate / 2 ** 20).toFixed(0)} MiB/s`
  console.log(`\nlimit: ${limit.toFixed(2)} s, with the kernel's own threads ${fullLimit.toFixed(2)} s (${hashes})`)
  return { limit, fullLimit }
}

/** Bytes a second of SHA-256 on one core. */
function measureHashRate(): number {
  const block = Buffer.alloc(1 << 20, 1)
  const hash = createHash('sha256')
  const began = performance.now()
  for (let blocks = 0; blocks < 512; blocks += 1) hash.update(block)
  hash.digest()
  return (512 * block.length * 1000) / (performance.now() - began)
}

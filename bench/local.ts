import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Peer } from './peers.js'
import { printSection, type Section, type Series } from './report.js'
import { type FileSet, writeSet } from './sets.js'
import { type Cost, Stage } from './stage.js'
import { median } from './statistics.js'

/**
 * Our backup, our second backup and our restore beside what else copies the same files, SHA-256 of every byte included; all in turn in each run, timed from
 * outside, each followed by `sync -f`. The first of the peers is what the others are held against.
 */
export async function measureBesidePeers({
  set,
  folder,
  runs,
  peers,
  profile,
}: {
  set: FileSet
  folder: string
  runs: number
  peers: readonly Peer[]
  /** Folder for CPU profiles. */
  profile?: string | undefined
}): Promise<Section[]> {
  const home = `${folder}/${set.name}`
  const stage = await Stage.open(home, profile === undefined ? {} : { profile: `${profile}/${set.name}` })
  const costs = new Map<string, Cost[]>()
  const phases: Record<Step, Phases[]> = { first: [], second: [], restore: [] }
  const note = (step: Step, name: string, cost: Cost): void => {
    const key = `${step}\0${name}`
    costs.set(key, [...(costs.get(key) ?? []), { wall: cost.wall, cpu: cost.cpu, memory: cost.memory, server: 0 }])
  }
  try {
    writeSet(stage.source, set)
    // The first round warms up: caches, compiled code, and the image's own blocks.
    for (let round = 0; round <= runs; round += 1) {
      const found: [step: Step, name: string, cost: Cost][] = []
      for (const peer of peers) {
        const place = `${home}/peer`
        await stage.settle()
        found.push(['first', peer.name, await peer.first(stage.source, place)])
        await stage.settle()
        if (peer.second) found.push(['second', peer.name, await peer.second(stage.source, place)])
        rmSync(place, { recursive: true })
      }
      const first = await stage.backUp({ incremental: false })
      const second = await stage.backUp({ incremental: true })
      if (second.status.reused_files !== set.files) throw new Error('the second backup did not take over every file')
      const restore = await stage.restore(first.id)
      stage.checkEqual(first.id)
      for (const { id } of [first, second]) await stage.delete(id)
      found.push(['first', own, first], ['second', own, second], ['restore', own, restore])
      if (round === 0) continue
      for (const entry of found) note(...entry)
      phases.first.push(first.status.phase_ms as Phases)
      phases.second.push(second.status.phase_ms as Phases)
      phases.restore.push(restore.status.phase_ms as Phases)
    }
  } finally {
    await stage.close()
    rmSync(home, { recursive: true, force: true })
  }
  const bytes = set.files * set.size
  const series = (step: Step): Series[] =>
    [...costs].flatMap(([key, list]) => {
      const [of, name = ''] = key.split('\0')
      return of === step ? [{ name, runs: list }] : []
    })
  const [reference] = series('first')
  const limit = reference && limitOf(reference, bytes)
  const about = `${set.name}: ${set.files} files of ${set.size} bytes`
  const sections: Section[] = [
    {
      title: `First backup, ${about}`,
      files: set.files,
      bytes,
      series: series('first'),
      phases: mediansOf(phases.first),
      ...(limit && { limit }),
    },
    {
      title: `Second backup, nothing changed, ${about}`,
      files: set.files,
      bytes,
      series: series('second'),
      phases: mediansOf(phases.second),
    },
    {
      title: `Restore into an empty root, ${about}`,
      files: set.files,
      bytes,
      series: [...(reference ? [reference] : []), ...series('restore')],
      phases: mediansOf(phases.restore),
      ...(limit && { limit }),
    },
  ]
  for (const section of sections) printSection(section)
  return sections
}

const own = 'arc-backup'

type Step = 'first' | 'second' | 'restore'
/** Milliseconds in each phase. */
type Phases = Readonly<Record<string, number>>

function mediansOf(runs: readonly Phases[]): Phases {
  const names = new Set(runs.flatMap((phases) => Object.keys(phases)))
  return Object.fromEntries([...names].map((name) => [name, median(runs.map((phases) => phases[name] ?? 0))]))
}

/** Seconds that the cores need at least for what `cp -r` does and one SHA-256 of every byte. */
function limitOf({ runs }: Series, bytes: number): number {
  const rate = measureHashRate()
  const limit = (median(runs.map(({ cpu }) => cpu)) + bytes / rate) / availableParallelism()
  console.log(`\nlimit: ${limit.toFixed(2)} s (one core hashes ${(rate / 2 ** 20).toFixed(0)} MiB/s)`)
  return limit
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

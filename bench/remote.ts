import { rmSync } from 'node:fs'
import type { Cleanup } from './cleanup.js'
import { writeParquetSet } from './parquet-set.js'
import { emptyFolder, findRemotePeers, type RemotePeer } from './remote-peers.js'
import { type Measured, printSection, type Section } from './report.js'
import { type FileSet, writeSet } from './sets.js'
import { hashAll, Stage } from './stage.js'
import { median, spread } from './statistics.js'
import { type StoreKind, startStoreServer } from './store-server.js'

const ways = ['up', 'down'] as const
type Way = (typeof ways)[number]

/** Costs of one contestant, a run after the other. */
interface Contestant {
  readonly name: string
  readonly up: Measured[]
  readonly down: Measured[]
  run(): Promise<Record<Way, Measured>>
}

/** Most of what the better `rclone` takes that ours may take, of time and of CPU. */
const goals: Readonly<Record<StoreKind, Record<Way, (set: string) => { wall: number; cpu: number }>>> = {
  minio: {
    up: (set) => ({ wall: 0.8, cpu: set === 'small' ? 0.35 : 0.4 }),
    down: (set) =>
      set === 'small' ? { wall: 0.8, cpu: 0.5 } : set === 'medium' ? { wall: 0.8, cpu: 0.6 } : { wall: 0.9, cpu: 0.7 },
  },
  azurite: { up: () => ({ wall: 1, cpu: 1 }), down: () => ({ wall: 1, cpu: 1 }) },
}

export interface RemoteBench {
  readonly kind: StoreKind
  readonly set: FileSet
  readonly folder: string
  readonly runs: number
  readonly peers: readonly string[]
  /** Real Parquet? */
  readonly parquet: boolean
  /** Folder for CPU profiles. */
  readonly profile?: string | undefined
}

/**
 * Our backup and restore beside what else copies the same files, both ways, in turn, each into a fresh place on the same server. Whoever begins changes with each run.
 */
export async function measureOnStore(cleanup: Cleanup, bench: RemoteBench): Promise<Section[]> {
  const { kind, set, folder, runs, profile } = bench
  const server = await startStoreServer(cleanup, kind, folder)
  const place = await server.place()
  const home = `${folder}/${kind}-${set.name}`
  const stage = await Stage.open(home, {
    target: place.table(),
    server: () => server.pid,
    ...(profile !== undefined && { profile: `${profile}/${kind}-${set.name}` }),
  })
  cleanup.teardown(async () => {
    await stage.close()
    rmSync(home, { recursive: true, force: true })
  })
  let bytes = set.files * set.size
  if (bench.parquet) bytes = await writeParquetSet(stage.source, set)
  else writeSet(stage.source, set)
  const expected = hashAll(stage.source)
  const peers = findRemotePeers(bench.peers, server, place)
  const contestants = [ours(stage, expected), ...peers.map((one) => contestantOf(one, stage, expected))]
  for (let round = 0; round <= runs; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const contestant = contestants[(turn + round) % contestants.length]
      if (!contestant) continue
      const { up, down } = await contestant.run()
      // The first round warms up.
      if (round === 0) continue
      contestant.up.push(up)
      contestant.down.push(down)
    }
    await server.renew()
  }
  const kindOfFiles = bench.parquet ? 'Parquet files' : 'files'
  const about = `${set.name}: ${set.files} ${kindOfFiles} of ${Math.round(bytes / set.files)} bytes`
  const titles: Record<Way, string> = { up: `Backup to ${kind}`, down: `Restore from ${kind}` }
  return ways.map((way) => {
    const series = byTime(contestants, way).map(({ name, [way]: costs }) => ({ name, runs: costs }))
    const section = { title: `${titles[way]}, ${about}`, files: set.files, bytes, series }
    printSection(section)
    judge(contestants, way, goals[kind][way](set.name))
    return section
  })
}

function ours(stage: Stage, expected: string): Contestant {
  const run = async (): Promise<Record<Way, Measured>> => {
    const { id, status: _, ...up } = await stage.backUp()
    const { status: __, ...down } = await stage.restore(id)
    stage.checkEqual([id], expected)
    await stage.deleteWhole(id)
    return { up, down }
  }
  return { name: own, up: [], down: [], run }
}

const own = 'arc-backup'

function contestantOf(peer: RemotePeer, stage: Stage, expected: string): Contestant {
  const copy = `${stage.folder}/copy`
  const run = async (): Promise<Record<Way, Measured>> => {
    await stage.settle()
    const up = await peer.upload(stage.source)
    emptyFolder(copy)
    await stage.settle()
    const down = await peer.download(copy)
    if (hashAll(copy) !== expected) throw new Error(`${peer.name}: what came back differs from ${stage.source}`)
    rmSync(copy, { recursive: true })
    peer.purge()
    return { up, down }
  }
  return { name: peer.name, up: [], down: [], run }
}

/** The fastest `rclone` first: the others are held against it. */
function byTime(contestants: readonly Contestant[], way: Way): Contestant[] {
  const key = (one: Contestant): number =>
    median(one[way].map(({ wall }) => wall)) * (one.name.startsWith('rclone') ? 1 : 1e6)
  return contestants.toSorted((a, b) => key(a) - key(b))
}

function judge([own, ...others]: readonly Contestant[], way: Way, goal: { wall: number; cpu: number }): void {
  const peers = others.filter(({ name }) => name.startsWith('rclone'))
  if (!own || peers.length === 0) return
  for (const part of ['wall', 'cpu'] as const) {
    // Each run's own ratio: what disturbs one contestant is likely to disturb the others.
    const best = (run: number): number => Math.min(...peers.map((peer) => peer[way][run]?.[part] ?? Number.NaN))
    const ratios = own[way].map((cost, run) => cost[part] / best(run))
    const verdict = median(ratios) <= goal[part] ? 'reached' : 'MISSED'
    console.log(`${part} ${spread(ratios)} × the better rclone, wanted at most ${goal[part]}: ${verdict}`)
  }
}

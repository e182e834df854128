import { rmSync } from 'node:fs'
import { formatTable } from '../src/cli/table.js'
import type { Cleanup } from './cleanup.js'
import { describeMachine } from './machine.js'
import { Rclone, rcloneVersion } from './rclone.js'
import { type FileSet, writeSet } from './sets.js'
import { type Cost, Stage } from './stage.js'
import { median, spread } from './statistics.js'
import { type StoreKind, startStoreServer } from './store-server.js'

/** Costs of one contestant, a run after the other. */
interface Contestant {
  readonly name: string
  readonly up: Cost[]
  readonly down: Cost[]
  run(): Promise<{ up: Cost; down: Cost }>
}

/** Most of what `rclone` costs that ours may cost. */
const cpuGoal: Readonly<Record<StoreKind, number>> = { minio: 0.5, azurite: 1 }
const transfers = [8, 32]

/**
 * Our backup and restore beside `rclone copy`, both ways, of the same files, in turn, each into a fresh place on the same server. Whoever begins changes with each run.
 */
export async function measureBesideRclone(
  cleanup: Cleanup,
  { kind, set, folder, runs }: { kind: StoreKind; set: FileSet; folder: string; runs: number },
): Promise<void> {
  const machine = describeMachine()
  const server = await startStoreServer(cleanup, kind, folder)
  const place = await server.place()
  const stage = await Stage.open(`${folder}/${set.name}`, { target: place.table(), server: () => server.pid })
  cleanup.teardown(() => stage.close())
  writeSet(stage.source, set)
  const version = rcloneVersion()
  const contestants = [ours(stage), ...(version ? transfers.map((count) => peer(count)) : [])]
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
  console.log(
    `\n${set.name} on ${kind}: ${set.files} files of ${set.size} bytes, ${runs} runs, ${version ?? 'no rclone on PATH'}; ${machine}`,
  )
  report(contestants, set, cpuGoal[kind])

  function peer(count: number): Contestant {
    const rclone = new Rclone(server, place, count)
    const run = async (): Promise<{ up: Cost; down: Cost }> => {
      const copy = `${folder}/rclone`
      const costs = { up: await rclone.upload(stage.source), down: await rclone.download(copy) }
      rmSync(copy, { recursive: true })
      await rclone.purge()
      return costs
    }
    return { name: `rclone, ${count}`, up: [], down: [], run }
  }
}

function ours(stage: Stage): Contestant {
  const run = async (): Promise<{ up: Cost; down: Cost }> => {
    const { id, status: _, ...up } = await stage.backUp()
    const { status: __, ...down } = await stage.restore(id)
    stage.checkEqual(id)
    await stage.delete(id)
    return { up, down }
  }
  return { name: 'arc-backup', up: [], down: [], run }
}

function report([own, ...peers]: readonly Contestant[], set: FileSet, goal: number): void {
  if (!own) return
  const gib = (set.files * set.size) / 2 ** 30
  for (const way of ['up', 'down'] as const) {
    const rows = [own, ...peers].map(({ name, [way]: costs }) => [
      name,
      ...(['wall', 'cpu', 'server'] as const).map((part) => spread(costs.map((cost) => cost[part]))),
      ((median(costs.map(({ cpu }) => cpu)) * 1000) / set.files).toFixed(2),
      (median(costs.map(({ cpu }) => cpu)) / gib).toFixed(2),
      (Math.max(...costs.map(({ memory }) => memory)) / 2 ** 20).toFixed(0),
    ])
    const heading = [way.toUpperCase(), 'wall s', 'CPU s', 'server CPU s', 'CPU ms/file', 'CPU s/GiB', 'peak MiB']
    console.log(`\n${formatTable([heading, ...rows])}`)
    if (peers.length === 0) continue
    for (const [part, wanted] of [
      ['wall', 1],
      ['cpu', goal],
    ] as const) {
      // Each run's own ratio: what disturbs one contestant is likely to disturb the others.
      const best = (run: number): number => Math.min(...peers.map((peer) => peer[way][run]?.[part] ?? Number.NaN))
      const ratios = own[way].map((cost, run) => cost[part] / best(run))
      console.log(
        `${part} ${spread(ratios)} × the better rclone, wanted at most ${wanted}: ${median(ratios) <= wanted ? 'reached' : 'MISSED'}`,
      )
    }
  }
  console.log(
    JSON.stringify({
      set,
      runs: Object.fromEntries([own, ...peers].map(({ name, up, down }) => [name, { up, down }])),
    }),
  )
}

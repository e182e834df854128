import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { formatTable } from '../src/cli/table.js'
import { type FileSet, writeSet } from './sets.js'
import { type Cost, Stage } from './stage.js'
import { median, spread } from './statistics.js'

/** Our backup and our restore beside `cp -r` of the same files, SHA-256 of every byte included; all three in turn, timed from outside, each followed by `sync -f`. */
export async function measureBesideCp({
  set,
  folder,
  runs,
}: {
  set: FileSet
  folder: string
  runs: number
}): Promise<void> {
  const home = `${folder}/${set.name}`
  const stage = await Stage.open(home)
  const costs: Record<'cp' | 'backup' | 'restore', Cost[]> = { cp: [], backup: [], restore: [] }
  try {
    writeSet(stage.source, set)
    // The first round warms up: caches, compiled code, and the image's own blocks.
    for (let round = 0; round <= runs; round += 1) {
      const cp = await stage.copy()
      const backup = await stage.backUp()
      const restore = await stage.restore(backup.id)
      stage.checkEqual(backup.id)
      await stage.delete(backup.id)
      if (round === 0) continue
      costs.cp.push(cp)
      costs.backup.push(backup)
      costs.restore.push(restore)
    }
  } finally {
    await stage.close()
    rmSync(home, { recursive: true, force: true })
  }
  report(set, costs, runs)
}

function report(set: FileSet, costs: Record<'cp' | 'backup' | 'restore', readonly Cost[]>, runs: number): void {
  const bytes = set.files * set.size
  const cpWall = median(costs.cp.map(({ wall }) => wall))
  const hashRate = measureHashRate()
  const limit = (median(costs.cp.map(({ cpu }) => cpu)) + bytes / hashRate) / availableParallelism()
  const rows = Object.entries(costs).map(([name, list]) => {
    const wall = median(list.map((cost) => cost.wall))
    // Each run's own ratio: what disturbs one run disturbs all three.
    const ratios = list.map((cost, index) => cost.wall / (costs.cp[index]?.wall ?? Number.NaN))
    return [
      name,
      spread(list.map((cost) => cost.wall)),
      spread(ratios),
      spread(list.map(({ cpu }) => cpu)),
      name === 'cp' ? '' : (Math.max(...list.map(({ memory }) => memory)) / 2 ** 20).toFixed(0),
      (set.files / wall).toFixed(0),
      (bytes / wall / 2 ** 20).toFixed(0),
    ]
  })
  console.log(
    `\n${set.name}: ${set.files} files of ${set.size} bytes, ${runs} runs, ${availableParallelism()} cores; median (least–greatest)`,
  )
  console.log(formatTable([['', 'wall s', '/ cp -r', 'CPU s', 'peak MiB', 'files/s', 'MiB/s'], ...rows]))
  console.log(
    `limit: ${limit.toFixed(2)} s, ${(limit / cpWall).toFixed(2)} × cp -r (one core hashes ${(hashRate / 2 ** 20).toFixed(0)} MiB/s)`,
  )
  console.log(JSON.stringify({ set: set.name, files: set.files, size: set.size, limit, hashRate, costs }))
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

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { measureLatency } from './latency.js'
import { mountLoopDisk } from './loop-disk.js'
import { measureMemory } from './memory.js'
import { type FileSet, sets, writeSet } from './sets.js'
import { type Cost, Stage } from './stage.js'
import { median, spread } from './statistics.js'

// How long do our backup and our restore take beside `cp -r` of the same files, SHA-256 of every byte included? All three in turn in one run, timed from
// outside, each followed by `sync -f`.

const usage = `npm run bench -- [speed] [memory] [latency] [--dir DIR] [--loop GIB] [--sets small,medium,large] [--scale 1] [--runs 5]

  speed    backup and restore beside cp -r (the default)
  memory   peak memory of the service with 200,000 files beside 2,000
  latency  GET /status at 20 a second during backup and restore, while arc.db is written
  --dir    where to work; a folder of its own is made there and removed (default: the system's temporary folder)
  --loop   work on an ext4 image of so many GiB in memory instead (needs root)
  --scale  make the sets smaller
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: 'string', default: tmpdir() },
    loop: { type: 'string' },
    sets: { type: 'string', default: 'small,medium,large' },
    scale: { type: 'string', default: '1' },
    runs: { type: 'string', default: '5' },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  console.log(usage)
  process.exit(0)
}
const disk = values.loop === undefined ? null : mountLoopDisk(Number(values.loop) * 2 ** 30)
const folder = mkdtempSync(join(disk?.folder ?? values.dir, 'arc-backup-bench-'))
try {
  const what = positionals.length === 0 ? ['speed'] : positionals
  if (what.includes('speed')) {
    for (const set of sets.filter(({ name }) => values.sets.split(',').includes(name))) await measureSpeed(set)
  }
  if (what.includes('memory')) await measureMemory(`${folder}/memory`)
  if (what.includes('latency')) await measureLatency(`${folder}/latency`)
} finally {
  rmSync(folder, { recursive: true, force: true })
  disk?.remove()
}

async function measureSpeed(wanted: FileSet): Promise<void> {
  const set = { ...wanted, files: Math.max(1, Math.round(wanted.files * Number(values.scale))) }
  const home = `${folder}/${set.name}`
  const stage = await Stage.open(home)
  const costs: Record<'cp' | 'backup' | 'restore', Cost[]> = { cp: [], backup: [], restore: [] }
  try {
    writeSet(stage.source, set)
    // The first round warms up: caches, compiled code, and the image's own blocks.
    for (let round = 0; round <= Number(values.runs); round += 1) {
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
  report(set, costs)
}

function report(set: FileSet, costs: Record<'cp' | 'backup' | 'restore', readonly Cost[]>): void {
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
    `\n${set.name}: ${set.files} files of ${set.size} bytes, ${values.runs} runs, ${availableParallelism()} cores; median (least–greatest)`,
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

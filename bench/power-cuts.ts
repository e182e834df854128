import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { cutPower } from '../test/campaigns/power-cuts.js'
import { randomFrom } from '../test/campaigns/random.js'
import { type Cleanup, runBench } from './cleanup.js'

// Power cuts at random instants of backups and restores: the disk as it is then must hold all that was promised. See test/campaigns/power-cuts.ts.

const usage = `npm run power-cuts -- [--cuts 20] [--seed N] [--dir DIR]        (as root: it mounts file systems)

  --seed  what is cut in which phase (default: a random one; the instant within a phase is up to the machine)
  --dir   where the image is; a folder of its own is made there and removed (default: the system's temporary folder)
`
const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(powerCuts)

async function powerCuts(cleanup: Cleanup): Promise<void> {
  console.log(`seed ${values.seed}`)
  const folder = mkdtempSync(join(values.dir, 'arc-backup-power-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  const counts = new Map<string, number>()
  let [number, wrong, backups] = [0, 0, 0]
  for await (const cut of cutPower(cleanup, folder, {
    cuts: Number(values.cuts),
    random: randomFrom(Number(values.seed)),
  })) {
    number += 1
    backups += cut.backups
    const key = `${cut.kind}: ${cut.phase}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    for (const sentence of cut.wrong) console.error(`cut ${number} (${key}): ${sentence}`)
    wrong += cut.wrong.length > 0 ? 1 : 0
  }
  const rows = [...counts].sort().map(([phase, count]) => [phase, String(count)])
  console.log(formatTable([['CUT IN', 'TIMES'], ...rows]))
  console.log(`${backups} backups with a manifest were verified as the cuts left them`)
  if (wrong > 0) throw new Error(`${wrong} of ${number} cuts lost something`)
}

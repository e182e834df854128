import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { randomFrom } from '../test/campaigns/random.js'
import { walk } from '../test/campaigns/walk.js'
import { type Cleanup, runBench } from './cleanup.js'

// A random walk: backups, restores, deletes, cancels, kills, other clocks, and a source that changes and is compacted, against a model. See test/campaigns/walk.ts.

const usage = `npm run walk -- [--steps 2000] [--seed N] [--dir DIR]

  --seed  which steps, in what order, with what (default: a random one; the instants of kills and cancels are up to the machine)
`
const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    dir: { type: 'string', default: tmpdir() },
    verbose: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(takeWalk)

async function takeWalk(cleanup: Cleanup): Promise<void> {
  console.log(`seed ${values.seed}`)
  const folder = mkdtempSync(join(values.dir, 'arc-backup-walk-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  const counts = new Map<string, number>()
  let number = 0
  const { steps, seed } = values
  for await (const { name, outcome, wrong } of walk(cleanup, folder, {
    steps: Number(steps),
    random: randomFrom(Number(seed)),
  })) {
    number += 1
    counts.set(name, (counts.get(name) ?? 0) + 1)
    if (values.verbose) console.log(`${number} ${name}: ${outcome}`)
    else if (number % 100 === 0) console.log(`${number} steps`)
    for (const sentence of wrong) console.error(`step ${number} (${name}: ${outcome}): ${sentence}`)
    // What comes after a difference is different too.
    if (wrong.length > 0) throw new Error(`step ${number} of the walk with seed ${seed} went wrong`)
  }
  const rows = [...counts].sort().map(([name, count]) => [name, String(count)])
  console.log(formatTable([['STEP', 'TIMES'], ...rows]))
}

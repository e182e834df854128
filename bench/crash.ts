import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { crashCampaign } from '../test/campaigns/crash.js'
import { type CrashStore, makeGround } from '../test/campaigns/crash-ground.js'
import { randomFrom } from '../test/campaigns/random.js'
import { type Cleanup, runBench } from './cleanup.js'

// SIGKILL at random instants of backups, restores and deletes; after each restart everything must be as it was promised. See test/campaigns/crash.ts.

const usage = `npm run crash -- [--kills 1000] [--store local|minio|azurite] [--seed N] [--dir DIR]

  --seed  which operation is killed in which phase (default: a random one; the instant within a phase is up to the machine)
  --dir   where to work; a folder of its own is made there and removed (default: the system's temporary folder)
`
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    store: { type: 'string', default: 'local' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(crash)

async function crash(cleanup: Cleanup): Promise<void> {
  const { store } = values
  if (store !== 'local' && store !== 'minio' && store !== 'azurite') {
    throw new Error(`unknown store "${store}": expected local, minio or azurite`)
  }
  console.log(`seed ${values.seed}`)
  const folder = mkdtempSync(join(values.dir, 'arc-backup-crash-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  const ground = await makeGround(cleanup, folder, store as CrashStore)
  const counts = new Map<string, number>()
  let [number, wrong] = [0, 0]
  for await (const result of crashCampaign(ground, {
    kills: Number(values.kills),
    random: randomFrom(Number(values.seed)),
  })) {
    number += 1
    const key = `${result.kind}: ${result.phase}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    for (const sentence of result.wrong) console.error(`kill ${number} (${key}): ${sentence}`)
    wrong += result.wrong.length > 0 ? 1 : 0
    if (number % 50 === 0) console.log(`${number} kills`)
  }
  const rows = [...counts].sort().map(([phase, count]) => [phase, String(count)])
  console.log(formatTable([['KILLED IN', 'TIMES'], ...rows]))
  if (wrong > 0) throw new Error(`${wrong} of ${number} kills left something wrong`)
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CrashStore, makeGround } from '../test/campaigns/crash-ground.js'
import { generations } from '../test/campaigns/generations.js'
import { randomFrom } from '../test/campaigns/random.js'
import { type Cleanup, runBench } from './cleanup.js'

// Backups in a row of a source that changes a little, removed in any order. See test/campaigns/generations.ts.

const usage = `npm run generations -- [--backups 10] [--files 1000] [--kib 256] [--store local|minio|azurite] [--seed N] [--dir DIR]

  --kib   size of each file
  --seed  what changes, and which backup goes when (default: random ones)
  --dir   where to work; a folder of its own is made there and removed (default: the system's temporary folder)
`
const { values } = parseArgs({
  options: {
    backups: { type: 'string', default: '10' },
    files: { type: 'string', default: '1000' },
    kib: { type: 'string', default: '256' },
    store: { type: 'string', default: 'local' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(run)

async function run(cleanup: Cleanup): Promise<void> {
  const { store, seed } = values
  if (store !== 'local' && store !== 'minio' && store !== 'azurite') {
    throw new Error(`unknown store "${store}": expected local, minio or azurite`)
  }
  console.log(`seed ${seed}`)
  const folder = mkdtempSync(join(values.dir, 'arc-backup-generations-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  const ground = await makeGround(cleanup, folder, store satisfies CrashStore)
  let failed = 0
  for await (const { name, wrong } of generations(ground, {
    backups: Number(values.backups),
    files: Number(values.files),
    size: Number(values.kib) << 10,
    random: randomFrom(Number(seed)),
    ...(store === 'local' && { measured: `${folder}/backups` }),
  })) {
    console.log(name)
    for (const sentence of wrong) console.error(`${name}: ${sentence}`)
    failed += wrong.length > 0 ? 1 : 0
  }
  if (failed > 0) throw new Error(`${failed} steps with seed ${seed} went wrong`)
}

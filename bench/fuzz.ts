import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { FuzzGround } from '../test/campaigns/fuzz.js'
import { type Cleanup, runBench } from './cleanup.js'

// Hostile requests against the real service: what it may answer, write to its log and touch. See test/campaigns/fuzz.ts.

const usage = `npm run fuzz -- [--requests 10000] [--seed N] [--dir DIR]        (needs strace)

  --seed  which requests, in what order (default: a random one; how they meet what runs is up to the machine)
`
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(attack)

async function attack(cleanup: Cleanup): Promise<void> {
  console.log(`seed ${values.seed}`)
  const folder = mkdtempSync(join(values.dir, 'arc-backup-fuzz-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  const ground = await FuzzGround.open(cleanup, folder)
  const began = performance.now()
  const took = (): number => (performance.now() - began) / 1000
  const counts = await ground.send(Number(values.requests), Number(values.seed), (sent) => {
    if (sent % 1000 === 0) console.log(`${sent} requests in ${took().toFixed(0)} s`)
  })
  const seconds = took()
  const { wrong, memory } = await ground.end()
  const rows = Object.entries(counts).map(([status, count]) => [status === '0' ? 'closed' : status, String(count)])
  console.log(formatTable([['STATUS', 'REQUESTS'], ...rows]))
  console.log(`${seconds.toFixed(1)} s, at most ${Math.round(memory / 2 ** 20)} MiB`)
  for (const sentence of wrong) console.error(sentence)
  if (wrong.length > 0) throw new Error(`${wrong.length} things went wrong with seed ${values.seed}`)
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contend, makeArena, pauseHolder, type Round, takeOver } from '../test/campaigns/contention.js'
import type { CrashStore } from '../test/campaigns/crash-ground.js'
import { randomFrom } from '../test/campaigns/random.js'
import { type Cleanup, runBench } from './cleanup.js'

// Two services and the command line that want to write to one destination at once; holders that are killed, and holders that stand still. See test/campaigns/contention.ts.

const usage = `npm run contention -- [--rounds 200] [--take-overs 10] [--pauses 3] [--store local|minio|azurite] [--seed N] [--dir DIR]

  --rounds  so many rounds in which somebody was refused
  --seed    when each of them comes (default: a random one; how that falls in with the others is up to the machine)
`
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    'take-overs': { type: 'string', default: '10' },
    pauses: { type: 'string', default: '3' },
    store: { type: 'string', default: 'local' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(contention)

async function contention(cleanup: Cleanup): Promise<void> {
  const { store } = values
  if (store !== 'local' && store !== 'minio' && store !== 'azurite') {
    throw new Error(`unknown store "${store}": expected local, minio or azurite`)
  }
  console.log(`seed ${values.seed}`)
  const folder = mkdtempSync(join(values.dir, 'arc-backup-contention-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  const arena = await makeArena(cleanup, folder, store as CrashStore)
  const random = randomFrom(Number(values.seed))
  const parts: [string, AsyncGenerator<Round, void, undefined>][] = [
    ['contention', contend(arena, { rounds: Number(values.rounds), random })],
    ['take-overs', takeOver(arena, Number(values['take-overs']))],
    ['pauses', pauseHolder(arena, Number(values.pauses))],
  ]
  let bad = 0
  for (const [name, part] of parts) {
    let [rounds, winners, losers] = [0, 0, 0]
    for await (const round of part) {
      rounds += 1
      winners += round.winners
      losers += round.losers
      for (const sentence of round.wrong) console.error(`${name}, round ${rounds}: ${sentence}`)
      bad += round.wrong.length > 0 ? 1 : 0
      if (rounds % 20 === 0) console.log(`${name}: ${rounds}`)
    }
    console.log(`${store}, ${name}: ${rounds} rounds, ${winners} let in, ${losers} refused`)
  }
  if (bad > 0) throw new Error(`${bad} rounds went wrong`)
}

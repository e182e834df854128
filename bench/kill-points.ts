import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { KillGround, kinds } from '../test/campaigns/kill-points.js'
import { type Cleanup, runBench } from './cleanup.js'

// Every system call by which a small backup, restore and delete changes something, and a SIGKILL at each of them. See test/campaigns/kill-points.ts.

const usage = `npm run kill-points -- [--every 1 [--first 0]] [--call NAME] [--dir DIR]        (needs strace)

  --every  only each nth of the points
  --first  beginning with this one: with --every 8, eight runs from 0 to 7 are all of them
  --call   only those of this system call
`
const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    call: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(killPoints)

async function killPoints(cleanup: Cleanup): Promise<void> {
  const folder = mkdtempSync(join(values.dir, 'arc-backup-kill-points-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  const ground = await KillGround.open(cleanup, folder)
  const rows: string[][] = []
  let bad = 0
  for (const kind of kinds) {
    const points = (await ground.points(kind))
      .filter(({ call }) => values.call === undefined || call === values.call)
      .filter((_, index) => index % Number(values.every) === Number(values.first))
    console.log(`${kind}: ${points.length} points`)
    const calls = new Map<string, [points: number, killed: number]>()
    for (const point of points) {
      const { killed, wrong } = await ground.kill(point)
      const [count, kills] = calls.get(point.call) ?? [0, 0]
      calls.set(point.call, [count + 1, kills + (killed ? 1 : 0)])
      for (const sentence of wrong) console.error(`${kind}, ${point.call} ${point.nth}: ${sentence}`)
      bad += wrong.length > 0 ? 1 : 0
    }
    for (const [call, counts] of [...calls].sort()) rows.push([kind, call, ...counts.map(String)])
  }
  console.log(formatTable([['OPERATION', 'SYSTEM CALL', 'POINTS', 'KILLED'], ...rows]))
  if (bad > 0) throw new Error(`${bad} kills left something wrong`)
}

import { formatTable } from '../src/cli/table.js'
import { startProxy } from '../test/servers/proxy.js'
import type { Cleanup } from './cleanup.js'
import { describeMachine } from './machine.js'
import { writeSet } from './sets.js'
import { Stage } from './stage.js'
import { type StoreKind, startStoreServer } from './store-server.js'

const files = 2000
/** Ms added to each request, one half on the way there. */
const latency = 20
/** Seconds. */
const goal = 10

/** A store 20 ms away: how long do 2,000 small files take on two threads with so many in flight in each? */
export async function measureDistance(cleanup: Cleanup, kind: StoreKind, folder: string): Promise<void> {
  const machine = describeMachine()
  const server = await startStoreServer(cleanup, kind, folder)
  const proxy = await startProxy(cleanup, server.port, { latencyMs: latency / 2 })
  const rows: string[][] = []
  for (const transfers of ['1', '4', '8', '16', '32', '64', 'default']) {
    await cleanup.within(async (own) => {
      const settings = `workers = 2\n${transfers === 'default' ? '' : `transfers = ${transfers}`}`
      const target = (await server.place()).table(Number(new URL(proxy.url).port))
      const stage = await Stage.open(`${folder}/${transfers}`, { target, server: () => server.pid, settings })
      own.teardown(() => stage.close())
      writeSet(stage.source, { name: 'distance', files, size: 16 << 10 })
      const up = await stage.backUp()
      const down = await stage.restore(up.id)
      stage.checkEqual([up.id])
      const times = [up, down].map(({ wall }) => wall.toFixed(2))
      const reached = Math.max(up.wall, down.wall) < goal ? 'reached' : 'MISSED'
      const peaks = [up, down].map(({ memory }) => (memory / 2 ** 20).toFixed(0))
      rows.push([transfers, ...times, ...[up, down].map(({ cpu }) => cpu.toFixed(2)), ...peaks, reached])
    })
  }
  console.log(
    `\n${files} files of 16 KiB, ${latency} ms added to each request to ${kind}, 2 threads; wanted below ${goal} s; ${machine}`,
  )
  const heading = ['transfers', 'up s', 'down s', 'up CPU s', 'down CPU s', 'up peak MiB', 'down peak MiB', '']
  console.log(formatTable([heading, ...rows]))
}

import { setTimeout as sleep } from 'node:timers/promises'
import { formatTable } from '../src/cli/table.js'
import { startProxy } from '../test/servers/proxy.js'
import type { Cleanup } from './cleanup.js'
import type { Json } from './client.js'
import { describeMachine } from './machine.js'
import { type FileSet, writeSet } from './sets.js'
import { Stage } from './stage.js'
import { startStoreServer } from './store-server.js'

const mb = 1_000_000
const mib = 1 << 20
/** Share of a bandwidth limit by which ten seconds may differ from it. */
const goal = 0.05
const window = 10_000

/** Does a bandwidth limit hold over ten seconds, also after a change while a backup runs? */
export async function measureBandwidth(folder: string): Promise<void> {
  console.log(`\nbandwidth limit, disk to disk, 2 threads; ${describeMachine()}`)
  const stage = await Stage.open(folder, { settings: 'workers = 2\nbandwidth_limit = "20MB/s"' })
  try {
    writeSet(stage.source, { name: 'limits', files: 1400, size: mib })
    const client = stage.backupClient
    await client.start('', { incremental: false })
    for (const rate of [20, 60, 30]) {
      await client.call('PATCH', '/limits', { bandwidth_limit: `${rate}MB/s` })
      await sleep(500)
      const read = async (): Promise<[number, number]> => {
        const { processed_bytes: bytes, status } = await client.call('GET', '/status')
        if (status !== 'running') throw new Error('the backup ended too soon')
        return [Number(bytes), performance.now()]
      }
      const before = await read()
      await sleep(window)
      const after = await read()
      const found = ((after[0] - before[0]) * 1000) / (after[1] - before[1]) / mb
      const held = Math.abs(found / rate - 1) <= goal
      console.log(`${rate} MB/s: ${found.toFixed(2)} MB/s over 10 s: ${held ? 'reached' : 'MISSED'}`)
    }
    await client.call('PATCH', '/limits', { bandwidth_limit: null })
    await client.waitForEnd(50)
  } finally {
    await stage.close()
  }
}

/** What does a small memory limit save, and cost, where large and medium files go to MinIO and back? */
export async function measureMemoryLimit(cleanup: Cleanup, folder: string): Promise<void> {
  const rows: string[][] = []
  for (const limit of ['16MiB', '64MiB', '1GiB']) {
    await cleanup.within(async (own) => {
      const server = await startStoreServer(own, 'minio', folder)
      const home = `${folder}/memory-${limit}`
      const target = (await server.place()).table()
      const settings = `workers = 2\nmemory_limit = "${limit}"`
      const stage = await Stage.open(home, { target, server: () => server.pid, settings })
      own.teardown(() => stage.close())
      writeSet(stage.source, { name: 'large', files: 4, size: 64 * mib }, 'large')
      writeSet(stage.source, { name: 'medium', files: 60, size: 6 * mib }, 'medium')
      const up = await stage.backUp()
      const down = await stage.restore(up.id)
      stage.checkEqual([up.id])
      const cells = [up, down].flatMap(({ memory, wall }) => [(memory / mib).toFixed(0), wall.toFixed(2)])
      rows.push([limit, ...cells])
    })
  }
  console.log(`\nmemory limit: 4 files of 64 MiB and 60 of 6 MiB to MinIO and back, 2 threads; ${describeMachine()}`)
  console.log(formatTable([['limit', 'up peak MiB', 'up s', 'down peak MiB', 'down s'], ...rows]))
}

/** How many files are in flight, each second, with latency alone, and with 503s in the middle? */
export async function measureFlights(cleanup: Cleanup, folder: string): Promise<void> {
  const set: FileSet = { name: 'flights', files: 12_000, size: 4096 }
  for (const faulty of [false, true]) {
    await cleanup.within(async (own) => {
      const server = await startStoreServer(own, 'minio', folder)
      const proxy = await startProxy(own, server.port, { latencyMs: 25 })
      const target = (await server.place()).table(Number(new URL(proxy.url).port))
      const stage = await Stage.open(`${folder}/flights-${faulty}`, { target, settings: 'workers = 2' })
      own.teardown(() => stage.close())
      writeSet(stage.source, set)
      const seen: string[] = []
      const client = stage.backupClient
      const began = performance.now()
      await client.start('', { incremental: false })
      await client.waitForEnd(1000, ({ in_flight: flights, processed_files: files }) => {
        const seconds = (performance.now() - began) / 1000
        if (faulty && seconds > 4 && seconds < 8) proxy.plan.unavailableEvery = 50
        else delete proxy.plan.unavailableEvery
        const [flight] = (flights ?? []) as Json[]
        seen.push(`${seconds.toFixed(0)} s: ${flight?.files}/${flight?.limit} (${files} files)`)
      })
      const what = faulty ? 'every 50th request answered 503 from the 4th to the 8th second' : 'latency alone'
      console.log(
        `\nfiles in flight/limit, 50 ms added to each request, ${what}; ${describeMachine()}\n${seen.join(', ')}`,
      )
    })
  }
}

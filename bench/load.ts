import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Cleanup, runBench } from './cleanup.js'
import type { Order, Report } from './load-clients.js'
import { type Pair, reportLoad } from './load-report.js'
import type { LoopDelay } from './loop-delay.js'
import { describeMachine } from './machine.js'
import { makeFolder } from './memory-disk.js'
import { sets, writeSet } from './sets.js'
import { type Cost, type Role, Stage } from './stage.js'
import { isStoreKind, startStoreServer } from './store-server.js'

// Does the API answer while it works, and does the work go on while it answers? Backups and restores of many small files, by turns alone and under requests of many
// clients at a fixed rate. Ends non-zero where an answer is not one of the right ones for its request, or where a file differs afterwards.

const usage = `npm run load -- [--store local|minio|azurite] [--clients 64] [--rate 2] [--seconds 30] [--files 20000] [--dir DIR]

  --rate     requests a second of each client
  --seconds  how long the clients send at least
  --dir      where to work; a folder of its own is made there and removed (default: a file system in memory, which needs root)
`

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'local' },
    clients: { type: 'string', default: '64' },
    rate: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '30' },
    files: { type: 'string', default: '20000' },
    dir: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const clients = Number(values.clients)
const perSecond = clients * Number(values.rate)

if (values.help) console.log(usage)
else await runBench(measureLoad)

async function measureLoad(cleanup: Cleanup): Promise<void> {
  const folder = makeFolder(cleanup, values.dir)
  const { store } = values
  const server = isStoreKind(store) ? await startStoreServer(cleanup, store, folder) : undefined
  if (!server && store !== 'local') throw new Error(`unknown store "${store}": expected local, minio or azurite`)
  const remote = server && { target: (await server.place()).table(), server: () => server.pid }
  const stage = await Stage.open(`${folder}/stage`, { ...remote, watched: true })
  cleanup.teardown(() => stage.close())
  const sender = fork(fileURLToPath(new URL('load-clients.js', import.meta.url)))
  cleanup.teardown(() => void sender.kill('SIGKILL'))
  const began = describeMachine()
  const [small] = sets
  if (!small) throw new Error('there is no small set')
  const set = { ...small, files: Number(values.files) }
  writeSet(stage.source, set)

  // There all the time, to be shown; and the first of everything is slow.
  const { id: backupId } = await stage.backUp()
  await stage.restore(backupId)
  const pairs: Record<Role, Pair[]> = { backup: [], restore: [] }
  const reports: Report[] = []
  const delays: LoopDelay[] = []
  const underLoad = async <T extends Cost>(role: Role, action: () => Promise<T>): Promise<T> => {
    await stage.services[role].loopDelay()
    sender.send({ ...stage.access(role), backupId, clients, perSecond } satisfies Order)
    const cost = await action()
    sender.send('stop' satisfies Order)
    const [report] = (await once(sender, 'message')) as [Report]
    reports.push(report)
    delays.push(await stage.services[role].loopDelay())
    return cost
  }
  for (let seconds = 0; seconds < Number(values.seconds); ) {
    const alone = await stage.backUp()
    const aloneBack = await stage.restore(alone.id)
    await stage.delete(alone.id)
    const loaded = await underLoad('backup', () => stage.backUp())
    const loadedBack = await underLoad('restore', () => stage.restore(loaded.id))
    stage.checkEqual([loaded.id])
    await stage.delete(loaded.id)
    pairs.backup.push({ alone, loaded })
    pairs.restore.push({ alone: aloneBack, loaded: loadedBack })
    seconds += loaded.wall + loadedBack.wall
  }
  console.log(
    `${store}: ${set.files} files of ${set.size} bytes; ${clients} clients, ${perSecond} requests a second; ${began}\n`,
  )
  reportLoad({ reports, delays, pairs, bytes: set.files * set.size })
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { type Cleanup, runBench } from './cleanup.js'
import type { LoopDelay } from './loop-delay.js'
import { mountLoopDisk } from './loop-disk.js'
import { describeMachine } from './machine.js'
import { makeFolder } from './memory-disk.js'
import { writeSet } from './sets.js'
import { type Cost, type Role, Stage } from './stage.js'
import { percentile } from './statistics.js'
import { isStoreKind, startStoreServer } from './store-server.js'

// Are a million files routine? Each step with a few files and with many, in services of their own: time must grow with the number of files, memory must not, and the API answers meanwhile.

const usage = `npm run scale -- [--files 1000000] [--beside 10000] [--store local|minio|azurite] [--dir DIR] [--loop GIB] [--out DIR]

Files of 1 KiB: backup, second backup, list, verify, restore of 1 % of them, restore over a source that has lost 1 %, delete.

  --beside  how many files the same is done with before, to hold it against
  --dir     where to work; a folder of its own is made there and removed (default: a file system in memory, which needs root)
  --loop    work on an ext4 image of so many GiB in memory instead (needs root); a million files take 10
  --out     write scale.json and scale.md there
`

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '1000000' },
    beside: { type: 'string', default: '10000' },
    store: { type: 'string', default: 'local' },
    dir: { type: 'string' },
    loop: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
})

/** Bytes that the peak with many files may be above that with few. */
const memoryGoal = 64 << 20
/** Ms: of the status, and of the main thread's own work between two timers. */
const goals = { status: 10, busy: 20 }

interface Step {
  readonly name: string
  /** Files that it is about. */
  readonly files: number
  readonly cost: Cost
  readonly loop: LoopDelay
  /** Ms that answers to `GET /status` took. */
  readonly latencies: readonly number[]
  /** The same of a server that has nothing else to do. */
  readonly bareLatencies: readonly number[]
}

if (values.help) console.log(usage)
else await runBench(measureScale)

async function measureScale(cleanup: Cleanup): Promise<void> {
  const machine = describeMachine()
  const disk = values.loop === undefined ? undefined : mountLoopDisk(Number(values.loop) * 2 ** 30)
  if (disk) cleanup.teardown(() => disk.remove())
  const folder = makeFolder(cleanup, disk?.folder ?? values.dir)
  const sizes = [values.beside, values.files].map(Number)
  const found: Step[][] = []
  for (const files of sizes) await cleanup.within(async (own) => void found.push(await measureSize(own, folder, files)))
  const about = `${values.store}, files of 1 KiB; ${machine}`
  const tables = sizes.map((files, index) => ({ files, rows: rowsOf(found[index] ?? []) }))
  const verdicts = judge(found)
  for (const { files, rows } of tables) console.log(`\n${files} files\n${formatTable(rows)}`)
  console.log(`\n${about}\n${verdicts.join('\n')}`)
  if (values.out === undefined) return
  mkdirSync(values.out, { recursive: true })
  writeFileSync(`${values.out}/scale.json`, `${JSON.stringify({ about, sizes, steps: found }, null, 1)}\n`)
  writeFileSync(`${values.out}/scale.md`, markdown(about, tables, verdicts))
}

async function measureSize(own: Cleanup, folder: string, files: number): Promise<Step[]> {
  const home = `${folder}/${files}`
  const { store } = values
  if (!isStoreKind(store) && store !== 'local') throw new Error(`unknown store "${store}"`)
  const server = isStoreKind(store) ? await startStoreServer(own, store, folder) : undefined
  const remote = server && { target: (await server.place()).table(), server: () => server.pid }
  const stage = await Stage.open(home, { ...remote, watched: true })
  own.teardown(async () => {
    await stage.close()
    rmSync(home, { recursive: true, force: true })
  })
  const hundredth = Math.max(1, Math.round(files / 100))
  writeSet(stage.source, { name: 'scale', files: files - hundredth, size: 1024 })
  writeSet(stage.source, { name: 'part', files: hundredth, size: 1024 }, 'part')
  const databases = ['part0', 'part1', 'part2'].slice(0, Math.ceil(hundredth / 15))
  const steps: Step[] = []
  const probes: Record<Role | 'bare', ChildProcess> = {
    backup: startProbe(own, stage.access('backup')),
    restore: startProbe(own, stage.access('restore')),
    bare: startProbe(own, { url: await startBareServer(own), token: 'none' }),
  }
  // Its first answers are those of a program that has just started.
  await sleep(2000)
  const step = async <T extends Cost>(name: string, role: Role, of: number, action: () => Promise<T>): Promise<T> => {
    const tell = () => Promise.all([stage.services[role].loopDelay(), ask(probes[role]), ask(probes.bare)])
    await tell()
    const cost = await action()
    const [loop, latencies, bareLatencies] = await tell()
    steps.push({ name, files: of, cost, loop, latencies, bareLatencies })
    console.log(`${files} files: ${name} ${cost.wall.toFixed(1)} s, ${mib(cost.memory)} MiB`)
    return cost
  }
  const first = await step('backup', 'backup', files, () => stage.backUp())
  const second = await step('second backup', 'backup', files, () => stage.backUp({ incremental: true }))
  expect(second.status, 'reused_files', files)
  const list = async (): Promise<Cost> => stage.list()
  await step('list', 'backup', 2, list)
  const verified = await step('verify full', 'backup', files, () => stage.verify(second.id))
  expect(verified.status, 'verified', 'full')
  const part = await step('restore 1 %', 'restore', hundredth, () => stage.restore(first.id, { databases }))
  expect(part.status, 'processed_files', hundredth)
  for (const name of databases) rmSync(`${stage.source}/${name}`, { recursive: true })
  const over = await step('restore over 99 %', 'backup', files, () => stage.restoreOver(first.id))
  expect(over.status, 'unchanged_files', files - hundredth)
  expect(over.status, 'processed_files', files)
  await step('delete', 'backup', files, () => stage.deleteWhole(first.id))
  return steps
}

function expect(status: Readonly<Record<string, unknown>>, key: string, value: unknown): void {
  if (status[key] !== value)
    throw new Error(`${key} is ${JSON.stringify(status[key])}, not ${value}: ${JSON.stringify(status)}`)
}

function startProbe(own: Cleanup, { url, token }: { url: string; token: string }): ChildProcess {
  return startBeside(own, 'latency-probe.js', [url, token])
}

async function startBareServer(own: Cleanup): Promise<string> {
  const [url] = await once(startBeside(own, 'bare-server.js', []), 'message')
  return String(url)
}

function startBeside(own: Cleanup, script: string, args: readonly string[]): ChildProcess {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), args)
  own.teardown(() => void child.kill('SIGKILL'))
  return child
}

async function ask(probe: ChildProcess): Promise<number[]> {
  const answer = once(probe, 'message') as Promise<[number[]]>
  probe.send('tell')
  return (await answer)[0]
}

function rowsOf(steps: readonly Step[]): string[][] {
  const heading = [
    '',
    'wall s',
    'CPU s',
    'files/s',
    'peak MiB',
    'loop delay p99 ms',
    'most busy ms',
    'status p50 ms',
    'p99',
    'most',
    'bare server p50 ms',
    'p99',
  ]
  const rows = steps.map(({ name, files, cost, loop, latencies, bareLatencies }) => [
    name,
    cost.wall.toFixed(2),
    cost.cpu.toFixed(2),
    (files / cost.wall).toFixed(0),
    mib(cost.memory),
    loop.p99.toFixed(1),
    loop.busy.toFixed(1),
    ...[0.5, 0.99, 1].map((share) => millis(latencies, share)),
    ...[0.5, 0.99].map((share) => millis(bareLatencies, share)),
  ])
  return [heading, ...rows]
}

function judge([few = [], many = []]: readonly Step[][]): string[] {
  const peak = (steps: readonly Step[]): number => Math.max(...steps.map(({ cost }) => cost.memory))
  const [files = 1, others = 1] = [many[0]?.files, few[0]?.files]
  const more = peak(many) - peak(few)
  const verdicts = [
    verdict(`peak memory ${mib(more)} MiB above that with ${others} files`, more <= memoryGoal, mib(memoryGoal)),
  ]
  for (const [index, { name, loop, latencies, cost }] of many.entries()) {
    const before = few[index]
    const ratio = before ? (cost.wall / before.cost.wall / (files / others)).toFixed(2) : ''
    verdicts.push(
      `${name}: ${ratio} × the time a file that it took with ${others}; ` +
        [
          verdict(`busy ${loop.busy.toFixed(1)} ms`, loop.busy <= goals.busy, goals.busy),
          ...(latencies.length === 0
            ? []
            : [
                verdict(
                  `status p99 ${percentile(latencies, 0.99).toFixed(1)} ms`,
                  percentile(latencies, 0.99) <= goals.status,
                  goals.status,
                ),
              ]),
        ].join('; '),
    )
  }
  return verdicts
}

function millis(latencies: readonly number[], share: number): string {
  return latencies.length === 0 ? '' : percentile(latencies, share).toFixed(1)
}

function verdict(what: string, reached: boolean, goal: number | string): string {
  return `${what}, wanted at most ${goal}: ${reached ? 'reached' : 'MISSED'}`
}

function markdown(
  about: string,
  tables: readonly { files: number; rows: string[][] }[],
  verdicts: readonly string[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const parts = tables.map(({ files, rows: [heading = [], ...rows] }) =>
    [`### ${files} files`, '', line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n'),
  )
  return `${about}\n\n${parts.join('\n\n')}\n\n${verdicts.map((text) => `- ${text}`).join('\n')}\n`
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/table.js'
import { type CampaignResult, compactionCampaign } from '../test/campaigns/compaction.js'
import { Client } from './client.js'
import { type ServiceProcess, startServiceProcess } from './service-process.js'

// Backups of a source that another process compacts all the while, each verified, restored and compared by SQL: no row lost, none twice. See test/campaigns/compaction.ts.

const usage = `npm run compaction -- [--backups 100] [--seed N] [--dir DIR]

  --seed  what the other process does, in what order (default: a random one; how it falls in with the backups is up to the machine)
  --dir   where to work; a folder of its own is made there and removed (default: the system's temporary folder)
`
const { values } = parseArgs({
  options: {
    backups: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  console.log(usage)
  process.exit(0)
}

const folder = mkdtempSync(join(values.dir, 'arc-backup-compaction-'))
const services: ServiceProcess[] = []

async function startService(name: string): Promise<Client> {
  mkdirSync(`${folder}/${name}`)
  const config = `${folder}/${name}/arc.toml`
  const [auth, storage] = ['[auth]\nenabled = false', `[storage]\nlocal_path = "${folder}/${name}/data"`]
  // Arc merges a partition once an hour, the other process some of them all the time: the default of 5 would be too few now and then.
  const backup = `[backup]\nsettle_passes = 20\nhost = "127.0.0.1"\nport = 0\nlocal_path = "${folder}/backups"\nstate_path = "${folder}/${name}/state"`
  writeFileSync(config, [auth, storage, backup, ''].join('\n'))
  const service = await startServiceProcess(config)
  services.push(service)
  return new Client(service.url, 'none')
}

async function run(): Promise<CampaignResult[]> {
  const [source, empty] = [await startService('source'), await startService('empty')]
  const campaign = compactionCampaign(
    {
      source: (...request) => source.call(...request),
      storage: `${folder}/source/data`,
      empty: (...request) => empty.call(...request),
      restored: `${folder}/empty/data`,
    },
    { backups: Number(values.backups), seed: Number(values.seed) },
  )
  const results: CampaignResult[] = []
  for (;;) {
    const { done, value } = await campaign.next()
    if (done) {
      console.log(
        `meanwhile: ${Object.entries(value)
          .map(([what, count]) => `${count} ${what}`)
          .join(', ')}`,
      )
      return results
    }
    results.push(value)
    for (const wrong of value.wrong) console.error(`backup ${results.length}: ${wrong}`)
    if (results.length % 10 === 0) console.log(`${results.length} backups`)
  }
}

function show(results: readonly CampaignResult[]): void {
  const sum = (of: readonly CampaignResult[], count: (result: CampaignResult) => number): string =>
    String(of.reduce((total, result) => total + count(result), 0))
  const rows = [...new Set(results.map(({ passes }) => passes))].sort().map((passes) => {
    const of = results.filter((result) => result.passes === passes)
    const counts = [
      of.length,
      sum(of, ({ files }) => files),
      sum(of, ({ rows }) => rows),
      sum(of, ({ replaced }) => replaced),
    ]
    return [
      passes,
      ...counts,
      sum(of, ({ consumed }) => consumed),
      of.filter(({ wrong }) => wrong.length > 0).length,
    ].map(String)
  })
  const heads = [
    'settled_passes',
    'backups',
    'files',
    'rows compared',
    'replaced_files',
    'consumed_inputs_skipped',
    'wrong',
  ]
  console.log(formatTable([heads, ...rows]))
}

let code = 1
try {
  console.log(`seed ${values.seed}`)
  const results = await run()
  show(results)
  const moved = results.filter(({ passes }) => passes > 1).length
  const wrong = results.filter((result) => result.wrong.length > 0).length
  console.log(`${moved} of ${results.length} backups took two passes or more; ${wrong} had rows of no instant`)
  code = wrong === 0 && moved * 2 >= results.length ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
} finally {
  for (const service of services) await service.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(code)

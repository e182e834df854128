import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import Database from 'better-sqlite3'
import { ProgressLine } from '../src/cli/progress-line.js'
import { describeList, formatTable } from '../src/cli/table.js'
import { type ArcData, writeArcData } from './arc-data.js'
import { type Cleanup, runBench } from './cleanup.js'
import { Client } from './client.js'
import { startServiceProcess } from './service-process.js'
import { isStoreKind, startStoreServer } from './store-server.js'

// The main job on real data, through REST alone: back up, lose a database, let Arc compact, break a token, restore, and prove by SQL that nothing is missing.
// `--target minio` and `--target azurite` back up to a real server of that kind, which is started for it. `--keep` leaves the directory.

const size = { hours: 250, largeRows: 2_900_000, largeFiles: 4 }
const day = 'fleet/position/2026/01/03'

const { values: wanted } = parseArgs({ options: { target: { type: 'string' }, keep: { type: 'boolean' } } })
const times: [step: string, seconds: number][] = []

await runBench(demonstrate)

async function demonstrate(cleanup: Cleanup): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'arc-backup-demo-'))
  cleanup.teardown(() => {
    if (wanted.keep) console.log(`\nkept: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  })
  cleanup.teardown(showTimes)
  const target = await findTarget(cleanup, folder)
  const data = await step('write a data directory as Arc would have it', () =>
    writeArcData(folder, { ...size, target }),
  )
  const before = await step('count every row by SQL', () => summarize(data.storage))
  const tokens = readTokens(data)
  const service = await step('start the service', () => startServiceProcess(data.config))
  cleanup.teardown(() => service.stop())
  const client = new Client(service.url, data.token)

  const { backup_id } = await client.call('POST', '', {})
  await step('back up', () => watch(client))
  console.log(`\n${describeList(await client.call('GET', ''))}\n`)
  const manifest = await client.call('GET', `/${backup_id}`)
  const { databases, ...rest } = manifest
  console.log(`manifest: ${JSON.stringify(rest)}`)
  for (const { name, file_count, size_bytes } of databases as {
    name: string
    file_count: number
    size_bytes: number
  }[]) {
    console.log(`  ${name}: ${file_count} files, ${size_bytes} bytes`)
  }

  await step('destroy database grid, compact a day of fleet, damage a token', async () => {
    rmSync(`${data.storage}/grid`, { recursive: true })
    await compactDay(data.storage)
    const db = new Database(data.database)
    db.exec("UPDATE api_tokens SET token_hash = 'lost', permissions = '' WHERE name = 'dashboard'")
    db.close()
  })
  if (isEqual(await summarize(data.storage), before))
    throw new Error('the damage did not show: this demo would prove nothing')

  await client.call('POST', '/restore', { backup_id, confirm: true, mode: 'replace' })
  const status = await step('restore', () => watch(client))
  console.log(
    `\nrestored ${status.processed_files} files, moved ${status.replaced_files} aside, missing ${status.missing_files}, every hash checked: ${status.verified}`,
  )

  const after = await step('count every row again', () => summarize(data.storage))
  const broken = before.filter((line, index) => line !== after[index])
  if (!isEqual(after, before))
    throw new Error(`rows differ after the restore: expected\n${broken.join('\n')}\nfound\n${after.join('\n')}`)
  if (readTokens(data) !== tokens) throw new Error('the tokens differ after the restore')
  console.log(`\nEvery measurement has its rows and sums again, and the token is back:\n${after.join('\n')}`)
}

/** The table of the target to back up to; undefined for a folder on this machine. */
async function findTarget(cleanup: Cleanup, folder: string): Promise<string | undefined> {
  const kind = wanted.target ?? 'local'
  if (kind === 'local') return undefined
  if (!isStoreKind(kind)) throw new Error(`unknown target "${kind}": expected local, minio or azurite`)
  const server = await step(`start ${kind}`, () => startStoreServer(cleanup, kind, folder))
  return (await server.place()).table()
}

async function step<T>(name: string, action: () => Promise<T>): Promise<T> {
  if (!process.stdout.isTTY) console.log(`- ${name}`)
  const began = performance.now()
  const result = await action()
  times.push([name, (performance.now() - began) / 1000])
  return result
}

async function watch(client: Client) {
  const line = new ProgressLine(process.stdout)
  const status = await client.waitForEnd(100, (running) => line.show(running))
  line.end()
  return status
}

/** One line for each measurement: rows, sum of values, sum of times. Hidden files don't count, for Arc does not read them. */
async function summarize(storage: string): Promise<string[]> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  try {
    const result = await connection.runAndReadAll(`
      SELECT regexp_extract(filename, '/arc/([^/]+/[^/]+)/', 1) AS measurement, count(*), sum(value::HUGEINT), sum(time::HUGEINT)
      FROM read_parquet('${storage}/**/[!.]*.parquet', filename = true, union_by_name = true) GROUP BY 1 ORDER BY 1`)
    return result
      .getRows()
      .map(
        ([measurement, rows, values, time]) =>
          `  ${measurement}: ${rows} rows, sum of values ${values}, of times ${time}`,
      )
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** As Arc compacts a day: one file with all rows, then the hours are gone. */
async function compactDay(storage: string): Promise<void> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const output = `${storage}/${day}/position_20260104_000000_1_b0_daily.parquet`
  await connection.run(
    `COPY (SELECT * FROM read_parquet('${storage}/${day}/*/*.parquet')) TO '${output}.tmp' (FORMAT parquet)`,
  )
  connection.closeSync()
  instance.closeSync()
  for (const hour of readdirSync(`${storage}/${day}`)) {
    if (/^\d\d$/.test(hour)) rmSync(`${storage}/${day}/${hour}`, { recursive: true })
  }
  renameSync(`${output}.tmp`, output)
}

function readTokens(data: ArcData): string {
  const db = new Database(data.database, { readonly: true })
  try {
    return JSON.stringify(db.prepare('SELECT * FROM api_tokens ORDER BY id').all())
  } finally {
    db.close()
  }
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.join('\n') === b.join('\n')
}

function showTimes(): void {
  const total = times.reduce((sum, [, seconds]) => sum + seconds, 0)
  const rows = [...times, ['in all', total] as const].map(([name, seconds]) => [name, `${seconds.toFixed(2)} s`])
  console.log(`\nWhere the time went:\n${formatTable([['STEP', 'TIME'], ...rows])}`)
}

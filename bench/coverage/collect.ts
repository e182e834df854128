import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { setInterval as every } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Cleanup } from '../cleanup.js'

/** What V8 writes of one process or thread. */
interface ProcessCoverage {
  readonly result: readonly { readonly url: string }[]
  readonly 'source-map-cache'?: { readonly [url: string]: unknown }
}

/** c8's report in JSON, as far as it is used: for each file a count for each statement, and v8-to-istanbul makes a statement of each line. */
interface Istanbul {
  readonly [file: string]: {
    readonly statementMap: { readonly [key: string]: { readonly start: { readonly line: number } } }
    readonly s: { readonly [key: string]: number }
  }
}

/** The lines that ran, by file. */
export type Reached = ReadonlyMap<string, readonly number[]>

const root = `${pathToFileURL(process.cwd()).href}/`
const ours = /^dist\/(src|workers|page)\//
const page = `${root}dist/page/main.js`
const isOurs = (url: string): boolean => url.startsWith(root) && ours.test(url.slice(root.length))

/** Runs with Node's own coverage of all processes and threads: `NODE_V8_COVERAGE` is handed on by Node to each child, whatever environment that is given. Answers which lines of src and workers ran. */
export async function collect(cleanup: Cleanup, run: (env: NodeJS.ProcessEnv) => Promise<void>): Promise<Reached> {
  const raw = mkdtempSync(join(tmpdir(), 'arc-backup-coverage-'))
  const kept = mkdtempSync(join(tmpdir(), 'arc-backup-coverage-'))
  for (const folder of [raw, kept]) cleanup.teardown(() => rmSync(folder, { recursive: true, force: true }))
  // Tests also run the program as another user.
  chmodSync(raw, 0o1777)
  const over = new AbortController()
  const reducing = reduceAlong(raw, kept, over.signal)
  await run({ NODE_V8_COVERAGE: raw })
  over.abort()
  await reducing
  reduce(raw, kept, 0)
  return mapToSources(kept)
}

/** A process leaves 1 to 10 MB, nine tenths of it of Node and of packages, and there are thousands of processes in a run. */
async function reduceAlong(raw: string, kept: string, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of every(1000, undefined, { signal })) reduce(raw, kept, 2000)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Keeps what is ours of records that nobody has written to for a while. */
function reduce(raw: string, kept: string, quietMs: number): void {
  for (const name of readdirSync(raw)) {
    const path = join(raw, name)
    if (Date.now() - statSync(path).mtimeMs < quietMs) continue
    const record = parse(readFileSync(path, 'utf8'))
    rmSync(path)
    const result = record.result.filter(({ url }) => isOurs(url))
    const maps = Object.entries(record['source-map-cache'] ?? {}).filter(([url]) => isOurs(url))
    if (result.length === 0) continue
    // Node adds the source maps of what it loads; the browser's script has none that it could find.
    if (result.some(({ url }) => url === page)) maps.push([page, { data: pageMap() }])
    writeFileSync(join(kept, name), JSON.stringify({ result, 'source-map-cache': Object.fromEntries(maps) }))
  }
}

/** Made beside the page's script, and not named in it, by `build:page -- --sourcemap=external`. */
function pageMap(): unknown {
  const map = JSON.parse(readFileSync('dist/page/main.js.map', 'utf8')) as { sources: string[] }
  return { ...map, sources: map.sources.map((source) => resolve('dist/page', source)) }
}

/** One that was killed while it wrote its record has none. */
function parse(text: string): ProcessCoverage {
  try {
    return JSON.parse(text) as ProcessCoverage
  } catch {
    return { result: [] }
  }
}

/** c8 merges what all of them counted, and goes by the source maps. */
async function mapToSources(kept: string): Promise<Reached> {
  const what = [
    '--exclude-after-remap',
    '--include',
    'src/**',
    '--include',
    'workers/**',
    '--extension',
    '.ts',
    '--extension',
    '.tsx',
  ]
  const to = ['--temp-directory', kept, '--merge-async', '--reporter', 'json', '--reports-dir', join(kept, 'report')]
  const c8 = spawn('npx', ['c8', 'report', ...what, ...to], { stdio: 'inherit' })
  const [code] = (await once(c8, 'close')) as [number | null]
  if (code !== 0) throw new Error(`c8 ended with ${code}`)
  const report = JSON.parse(readFileSync(join(kept, 'report', 'coverage-final.json'), 'utf8')) as Istanbul
  return new Map(
    Object.entries(report).map(([file, { statementMap, s }]) => {
      const lines = Object.entries(statementMap).flatMap(([key, { start }]) => (s[key] ? [start.line] : []))
      return [relative(process.cwd(), file), lines]
    }),
  )
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import glob from 'fast-glob'
import { type Cleanup, runBench } from './cleanup.js'
import { collect } from './coverage/collect.js'
import { compare, type Gap } from './coverage/gaps.js'
import { forget, readReached, remember } from './coverage/reached.js'

// Which lines of src and workers no test reaches, in whatever process or thread they run: tap alone measures the main thread of a test's own process, and not the service, the command line and the workers that tests start.

const usage = `npm run coverage [-- [TEST ...]]

  TEST      files or folders of tests; what they reach is added to what earlier runs reached of files that have not changed since
            (default: all tests, and nothing earlier counts)
  --report  run no test, tell what earlier runs reached

It ends non-zero when a test fails, when a line is not reached that bench/coverage-gaps.json does not list, or when that lists a line that is no longer there. A process that is killed by SIGKILL leaves no record.
`
const { values, positionals } = parseArgs({
  options: { report: { type: 'boolean' }, help: { type: 'boolean' } },
  allowPositionals: true,
})

if (values.help) console.log(usage)
else await runBench(measure)

async function measure(cleanup: Cleanup): Promise<void> {
  let failed = false
  if (!values.report) {
    if (positionals.length === 0) forget()
    const reached = await collect(cleanup, async (env) => {
      const tap = spawn('npm', ['run', 'tap', '--', ...testsOf(positionals)], {
        stdio: 'inherit',
        env: { ...process.env, ...env },
      })
      cleanup.teardown(() => void tap.kill())
      const [code] = (await once(tap, 'close')) as [number | null]
      failed = code !== 0
    })
    remember(reached)
  }
  const gaps = JSON.parse(readFileSync('bench/coverage-gaps.json', 'utf8')) as Gap[]
  const { told, problems } = compare(readReached(), gaps)
  for (const line of told) console.log(line)
  if (failed) throw new Error('a test failed')
  if (problems > 0) throw new Error(`${problems} lines are not reached and not listed, or listed and not there`)
}

/** As they are built; tap takes whatever lies in a folder for a test. */
function testsOf(paths: readonly string[]): string[] {
  const tests = paths.flatMap((path) => (path.endsWith('.ts') ? [path] : glob.sync(`${path}/**/*.test.ts`)))
  return tests.map((path) => `dist/${path.replace(/\.ts$/, '.js')}`)
}

import { syncBuiltinESMExports } from 'node:module'
import threads, { type WorkerOptions } from 'node:worker_threads'
import processOnSpawn from 'process-on-spawn'

// The test runner loads its hooks into every process and thread that a test starts: 1 s of CPU for each start of this program
// and 1.3 s for each worker thread, for a record of loaded files that only its coverage reads (ours is `npm run coverage`).
// Programs and threads under test start here as an operator's do.
processOnSpawn.addListener((child) => {
  const { NODE_OPTIONS = '', ...rest } = child.env
  const own = NODE_OPTIONS.split(' ').filter((option) => option !== '' && !option.includes('@tapjs/processinfo'))
  child.env = own.length === 0 ? rest : { ...rest, NODE_OPTIONS: own.join(' ') }
})

threads.Worker = class extends threads.Worker {
  constructor(file: string | URL, options?: WorkerOptions) {
    super(file, { ...options, execArgv: options?.execArgv ?? [] })
  }
}
syncBuiltinESMExports()

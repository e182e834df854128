import { type ChildProcess, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import type { LoopDelay } from './loop-delay.js'

const main = fileURLToPath(new URL('../src/main.js', import.meta.url))
/** Inside the service: it does not outlive the bench, however that one ends. */
const endWithParent =
  'data:text/javascript,process.on("disconnect",()=>process.exit());if(process.channel)process.channel.unref()'
const watcher = new URL('./loop-delay.js', import.meta.url).href

/** The service as its own process. */
export interface ServiceProcess {
  readonly pid: number
  readonly url: string
  /** Resolves when an operation has ended, as its log says: asking for the status again and again would be paid by what is measured. */
  operationEnd(): Promise<void>
  /** Of its main thread, since the last call; only where it was started to be watched, which costs a hundredth of a core. */
  loopDelay(): Promise<LoopDelay>
  /** Asks it to end, and waits for that. */
  stop(): Promise<void>
}

export interface ServiceOptions {
  readonly watched?: true
  /** Folder for a CPU profile of the main thread and one of each worker thread, written when they end. */
  readonly profile?: string
}

/** On a machine where Arc runs, its variables would lead from the data that was made for this to Arc's own. */
function withoutArcs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ARC_')))
}

/** Starts `arc-backup serve`, and resolves when it listens. @throws what it said, when it ends instead */
export async function startServiceProcess(config: string, options: ServiceOptions = {}): Promise<ServiceProcess> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      endWithParent,
      ...(options.watched ? ['--import', watcher] : []),
      ...(options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`]),
      '--enable-source-maps',
      '--max-semi-space-size=4',
      main,
      'serve',
      '--config',
      config,
    ],
    {
      env: { ...withoutArcs(process.env), ARC_LOG_FORMAT: 'json', ARC_LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  )
  const { pid } = child
  if (pid === undefined) throw new Error('the service could not be started')
  if (!child.stdout) throw new Error('the service has no standard output')
  const lines = createInterface(child.stdout)
  const url = await listening(child, lines)
  const operationEnd = async (): Promise<void> => {
    for await (const [line] of on(lines, 'line', { close: ['close'] })) {
      if (/"(backup|restore|verify) ended"/.test(String(line))) return
    }
    throw new Error('the service ended in the middle of an operation')
  }
  const loopDelay = async (): Promise<LoopDelay> => {
    const answer = once(child, 'message') as Promise<[LoopDelay]>
    child.send('delay')
    return (await answer)[0]
  }
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    await ended
  }
  return { pid, url, operationEnd, loopDelay, stop }
}

async function listening(child: ChildProcess, lines: Interface): Promise<string> {
  let said = ''
  child.stderr?.on('data', (text: Buffer) => {
    said += text
  })
  for await (const [line] of on(lines, 'line', { close: ['close'] })) {
    said += `${line}\n`
    const found = /"url":"([^"]+)"/.exec(String(line))
    if (found?.[1]) return found[1]
  }
  throw new Error(`the service did not start:\n${said}`)
}

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { systemCode } from '../errors.js'
import type { News } from './news.js'

export interface CommandSettings {
  readonly path: string
  /** How long it may run, in ms. */
  readonly timeoutMs: number
}

/** What a program may need of the service's environment, where credentials stand too. */
const passedOn = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']
/** Characters of its standard error that go into the log. */
const mostSaid = 2000
/** How long after its end what it has said is still read, in ms. */
const lastWords = 100

type Child = ChildProcessByStdio<Writable, null, Readable>

/**
 * Runs a program, without a shell and without arguments, with the operation as JSON on its standard input. It has a process group of its own, all of which is killed
 * when its time is over. Never rejects: what goes wrong is in the log.
 */
export async function runCommand({ path, timeoutMs }: CommandSettings, news: News, log: Logger): Promise<void> {
  const about = { command: path, event: news.type, operation_id: news.operation.operation_id }
  try {
    const child = spawn(path, [], { env: environmentOf(news), stdio: ['pipe', 'ignore', 'pipe'], detached: true })
    const why = await watch(child, JSON.stringify(news.operation), timeoutMs)
    if (why === null) log.debug(about, 'the command was told')
    else log.warn({ ...about, said: why.said }, `the command ${why.why}`)
  } catch (error) {
    log.warn({ ...about, err: error }, 'the command cannot be run')
  }
}

/** @returns why it ended badly and what it said, or null */
async function watch(child: Child, input: string, timeoutMs: number): Promise<{ why: string; said: string } | null> {
  let [said, isLate] = ['', false]
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-mostSaid)
  })
  // Who does not read it has closed it.
  child.stdin.on('error', () => {})
  child.stdin.end(`${input}\n`)
  const timer = setTimeout(() => {
    isLate = true
    killGroup(child.pid)
  }, timeoutMs)
  const closed = once(child, 'close').catch(() => {})
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    if (code === 0) return null
    // Not until its pipes are closed: what it left running in the background may hold them.
    await Promise.race([closed, sleep(lastWords)])
    const why = isLate ? `took longer than ${timeoutMs} ms` : signal ? `was ended by ${signal}` : `ended with ${code}`
    return { why, said }
  } finally {
    clearTimeout(timer)
    child.stderr.destroy()
    child.stdin.destroy()
  }
}

/** Names that config/unknown.ts knows: a command may call this program again. */
function environmentOf({ type, operation }: News): NodeJS.ProcessEnv {
  const inherited = passedOn.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  const told = {
    ARC_BACKUP_EVENT: type,
    ARC_BACKUP_OPERATION: operation.operation,
    ARC_BACKUP_OPERATION_ID: operation.operation_id,
    ARC_BACKUP_OUTCOME: operation.outcome,
    ARC_BACKUP_ID: operation.backup_id,
    ARC_BACKUP_TARGET: operation.target,
    ARC_BACKUP_ERROR_CODE: operation.error_code,
    ARC_BACKUP_REQUESTED_BY: operation.requested_by,
  }
  const given = Object.entries(told).map(([name, value]) => [name, String(value ?? '')])
  return Object.fromEntries([...inherited, ...given]) as NodeJS.ProcessEnv
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error
  }
}

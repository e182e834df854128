import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { machineSeconds, peakMemory } from './process-cost.js'

/** What a program cost from its start to its end. */
export interface ProcessCost {
  /** Seconds. */
  readonly wall: number
  /** CPU seconds, user and system. */
  readonly cpu: number
  /** CPU seconds of everything on this machine meanwhile: what the kernel writes in a thread of its own is in it. */
  readonly machine?: number
  /** Bytes of resident memory at most, as far as looks every 20 ms see it. */
  readonly memory: number
}

/** Runs a program to its end. The shell's own clock says what it took: what is read of a process before it ends lacks the last of it. @throws what it said, when it fails */
export async function runTimed(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<ProcessCost> {
  const script = 'TIMEFORMAT="%U %S"; exec 3>&2; time "$@" 2>&3'
  const machine = machineSeconds()
  const began = performance.now()
  const shell = spawn('bash', ['-c', script, 'timed', program, ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own, so that the program can be ended with the shell.
    detached: true,
  })
  const { pid = 0 } = shell
  const end = (): boolean => process.kill(-pid, 'SIGKILL')
  process.once('exit', end)
  let memory = 0
  const look = setInterval(() => {
    memory = Math.max(memory, peakOfPrograms(pid))
  }, 20)
  const [said, [code]] = await Promise.all([text(shell.stderr), once(shell, 'close') as Promise<[number | null]>])
  clearInterval(look)
  process.off('exit', end)
  const wall = (performance.now() - began) / 1000
  if (code !== 0) throw new Error(`${program} failed: ${said.slice(-2000)}`)
  const times = said.trim().split('\n').at(-1)?.split(' ').map(Number) ?? []
  const cpu = times.reduce((sum, part) => sum + part, 0)
  return { wall, cpu, machine: machineSeconds() - machine, memory }
}

/** Of all that a shell has started and that runs just now; the shells between do not count. */
function peakOfPrograms(shell: number): number {
  try {
    const children = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number)
    const peakOf = (pid: number): number => peakOfPrograms(pid) || peakMemory(pid) || 0
    return children.reduce((sum, pid) => sum + peakOf(pid), 0)
  } catch {
    // Ended between two looks.
    return 0
  }
}

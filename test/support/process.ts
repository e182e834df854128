import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { program } from './root.js'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process of the built program; the test ends it by its id. */
export interface RunningProgram {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves with the match once standard output has it. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
}

/** Runs `arc-backup` as an operator would: the build in `dist/`, in a folder, with an environment of its own; `under` is a command that runs it. */
export function startProgram(
  t: Test,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv; input?: string; under?: readonly string[] },
): RunningProgram {
  const env = { PATH: process.env.PATH, HOME: options.cwd, ...options.env }
  const [command = '', ...rest] = [...(options.under ?? []), process.execPath, program, ...args]
  const child = spawn(command, rest, { cwd: options.cwd, env, stdio: 'pipe' })
  t.teardown(() => child.kill('SIGKILL'))
  if (options.input !== undefined) child.stdin.end(options.input)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    child.emit('output')
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  const waitFor = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(stdout)
      if (found) return found
      const over = await Promise.race([once(child, 'output').then(() => false), ended.then(() => true)])
      if (over && !pattern.test(stdout)) throw new Error(`the program ended without ${pattern}: ${stdout}${stderr}`)
    }
  }
  return { child, ended, waitFor }
}

/** Runs it to its end. */
export function runProgram(
  t: Test,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv; input?: string },
): Promise<Ended> {
  return startProgram(t, args, options).ended
}

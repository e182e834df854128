import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import type { Test } from 'tap'
import { runProgram, type Terminal } from '../../src/cli/program.js'
import type { Output } from '../../src/cli/progress-line.js'
import { copyFixture } from '../support/fixture.js'

/** Keeps what is written to it. */
export class Written implements Output {
  text = ''
  readonly isTTY: boolean
  readonly columns?: number

  constructor(isTTY = false, columns?: number) {
    this.isTTY = isTTY
    if (columns !== undefined) this.columns = columns
  }

  write(text: string): boolean {
    this.text += text
    return true
  }
}

/** A terminal, or pipes, that a test types into and reads from. */
export class TestTerminal {
  readonly stdin: PassThrough & { isTTY?: boolean }
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly env: NodeJS.ProcessEnv
  out = ''
  err = ''

  constructor(env: NodeJS.ProcessEnv, isTTY = false) {
    this.env = env
    this.stdin = Object.assign(new PassThrough(), { isTTY })
    this.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.out += text
    })
    this.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.err += text
    })
  }

  /** Answers once it is asked. */
  answer(text: string | null): void {
    this.stderr.on('data', (asked: string) => {
      if (!asked.includes('[y/N]')) return
      if (text === null) this.stdin.end()
      else this.stdin.write(`${text}\n`)
    })
  }

  get terminal(): Terminal {
    return this as unknown as Terminal
  }
}

/**
 * A copy of a real Arc's folder as working directory until the test ends, as an operator would be in it: a command without `--config` takes the `arc.toml`
 * that lies there, and a restore writes to it.
 */
export function arcFolder(t: Test): { folder: string; env: NodeJS.ProcessEnv } {
  const folder = t.testdir({})
  copyFixture(folder)
  const before = process.cwd()
  process.chdir(folder)
  t.teardown(() => process.chdir(before))
  const env = { HOME: folder, ARC_BACKUP_HOST: '127.0.0.1', ARC_BACKUP_PORT: '0', ARC_BACKUP_WORKERS: '1' }
  return { folder, env }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs command lines in this thread over a copy of a real Arc's folder. */
export function prepare(t: Test) {
  const { folder, env } = arcFolder(t)
  const run = async (args: string[], more: NodeJS.ProcessEnv = {}, answer?: string | null): Promise<Ran> => {
    const terminal = new TestTerminal({ ...env, ...more }, answer !== undefined)
    if (answer !== undefined) terminal.answer(answer)
    const code = await runProgram(args, terminal.terminal)
    return { code, out: terminal.out, err: terminal.err }
  }
  return { folder, env, run }
}

/** An HTTP server that answers as a test wants, for answers that no service of ours gives. */
export async function answerWith(
  t: Test,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

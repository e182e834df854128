import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { checkDescribed } from '../support/described.js'
import { adminToken, copyFixture } from '../support/fixture.js'
import { type RunningProgram, startProgram } from '../support/process.js'

const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }

export type Body = Record<string, unknown>

/** A service as its own process, and calls to it with an admin's token. */
export interface Served {
  readonly folder: string
  readonly program: RunningProgram
  readonly url: string
  call(method: string, path: string, body?: unknown): Promise<Body>
  /** Resolves when the running operation is in this phase and has moved something. */
  reach(phase: string): Promise<void>
  /** Resolves with the status once nothing runs, and the last operation was resumed so many times. */
  settled(resumes?: number): Promise<Body>
}

/** Arc's fixture with some large files beside, so that an operation takes a while. */
export function makeFolder(t: Test, largeBytes = 128 << 20): string {
  const folder = t.testdir({})
  copyFixture(folder)
  for (let index = 0; index < 6; index += 1) {
    writeFileSync(`${folder}/data/arc/metrics/cpu/big${index}.parquet`, Buffer.alloc(largeBytes, index))
  }
  return folder
}

/** @param under a command that runs it */
export async function serve(
  t: Test,
  folder: string,
  env: NodeJS.ProcessEnv = {},
  under: readonly string[] = [],
): Promise<Served> {
  const program = startProgram(t, ['serve'], {
    cwd: folder,
    under,
    env: { ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1', ...env },
  })
  const [, url = ''] = await program.waitFor(/"url":"([^"]+)"/)
  const call: Served['call'] = async (method, path, body) => {
    const answer = await fetch(`${url}/api/v1/backup${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const [text, type] = [await answer.text(), answer.headers.get('content-type') ?? '']
    checkDescribed({ method, path: new URL(answer.url).pathname, status: answer.status, type, text })
    return JSON.parse(text) as Body
  }
  const reach: Served['reach'] = async (phase) => {
    for (;;) {
      const status = await call('GET', '/status')
      if (status.phase === phase && Number(status.processed_bytes) > 0) return
      if (status.status !== 'running') throw new Error(`the operation ended before ${phase}: ${JSON.stringify(status)}`)
      await sleep(2)
    }
  }
  const settled: Served['settled'] = async (resumes = 0) => {
    for (;;) {
      const status = await call('GET', '/status')
      if (status.status !== 'running' && Number(status.resumes ?? 0) >= resumes) return status
      await sleep(10)
    }
  }
  return { folder, program, url, call, reach, settled }
}

/** SIGKILL or SIGTERM, and the end of the process. */
export async function end({ program }: Served, signal: 'SIGKILL' | 'SIGTERM') {
  program.child.kill(signal)
  return program.ended
}

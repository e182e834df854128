import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { createLog } from '../../src/log.js'
import { type Service, startService } from '../../src/service.js'
import { checkDescribed } from './described.js'
import { adminToken, copyFixture } from './fixture.js'

export type Json = Record<string, unknown>

export interface Answer {
  readonly status: number
  readonly text: string
  readonly json: Json
  readonly headers: Headers
}

/** A service over a folder of its own, and a client with an admin's token; every answer that it gets is held against the description. */
export interface TestService {
  readonly folder: string
  readonly service: Service
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Starts an operation and waits for its end; answers the last status. */
  run(path: '' | '/restore', body?: unknown): Promise<Json>
  /** Waits until nothing runs. */
  settled(): Promise<Json>
}

/** Starts the whole service in this process over a copy of Arc's data directory (or an empty folder), on a free port; the test ends it. */
export async function startTestService(
  t: Test,
  options: { folder?: string; empty?: true; env?: NodeJS.ProcessEnv } = {},
): Promise<TestService> {
  const folder = options.folder ?? t.testdir({})
  if (!options.folder && !options.empty) copyFixture(folder)
  mkdirSync(folder, { recursive: true })
  const env = { ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1', ARC_BACKUP_WORKERS: '2', ...options.env }
  const config = loadConfig({ cwd: folder, env, home: folder })
  const service = await startService(config, createLog({ level: 'silent', format: 'json' }))
  t.teardown(() => service.close())
  const call: TestService['call'] = async (method, path, body, headers = {}) => {
    const answer = await fetch(`${service.url}/api/v1/backup${path}`, {
      method,
      headers: {
        authorization: `Bearer ${adminToken}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    const type = answer.headers.get('content-type') ?? ''
    const plainPath = new URL(answer.url).pathname
    if (method !== 'HEAD') checkDescribed({ method, path: plainPath, status: answer.status, type, text })
    return {
      status: answer.status,
      text,
      json: answer.headers.get('content-type')?.startsWith('application/json') ? (JSON.parse(text) as Json) : {},
      headers: answer.headers,
    }
  }
  const settled = async (): Promise<Json> => {
    for (;;) {
      const { json } = await call('GET', '/status')
      if (json.status !== 'running') return json
      await sleep(10)
    }
  }
  const run: TestService['run'] = async (path, body) => {
    const started = await call('POST', path, body)
    if (started.status !== 202) throw new Error(`POST ${path} answered ${started.status}: ${started.text}`)
    return settled()
  }
  return { folder, service, call, run, settled }
}

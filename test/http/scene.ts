import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { pino } from 'pino'
import type { Test } from 'tap'
import { openAuthenticator } from '../../src/auth/authenticator.js'
import type { JournalEntry } from '../../src/engine/journal.js'
import type { Measures, TargetSpace } from '../../src/engine/measures.js'
import type {
  BackupRequest,
  Caller,
  OperationStatus,
  PruneRequest,
  RestoreRequest,
  VerifyRequest,
} from '../../src/engine/operation.js'
import type { RestorePlan } from '../../src/engine/restore-plan.js'
import type { BackupList } from '../../src/engine/targets.js'
import { ServiceError } from '../../src/errors.js'
import { createApp } from '../../src/http/app.js'
import { Feed, type FeedOptions } from '../../src/http/feed.js'
import { Metrics } from '../../src/http/metrics.js'
import type { Operations } from '../../src/http/operations.js'
import { createServer, type ServerOptions } from '../../src/http/server.js'
import { arcsPart } from '../support/arcs-part.js'
import { adminToken, arcBackupId, copyFixture } from '../support/fixture.js'

export const operationId = '0123456789ab'

/** A backup under way. */
export const running: OperationStatus = {
  operation: 'backup',
  operationId: '0123456789ab',
  backupId: 'backup-20261123-103045-c526b8a7',
  target: 'local',
  status: 'running',
  outcome: null,
  phase: 'copying',
  totalFiles: 36,
  processedFiles: 12,
  skippedFiles: 0,
  totalBytes: 83766,
  processedBytes: 4000,
  serverSideFiles: 0,
  unchangedFiles: 0,
  reusedFiles: 0,
  reusedBytes: 0,
  bytesPerSecond: 1000,
  etaSeconds: null,
  startedAt: '2026-11-23T10:30:45.583188582Z',
  completedAt: null,
  error: null,
  errorCode: null,
  warnings: [],
  skippedSample: [],
  databases: null,
  settled: null,
  restore: null,
  verify: null,
  resumes: 0,
  phaseMs: { listing: 5 },
}

/** What a restore would do. */
export const plan: RestorePlan = {
  planId: '0123456789abcdef.0123456789abcdef.1.a.0.0.0.0.0.0.0.0.0.0.rk',
  backupId: arcBackupId,
  target: 'local',
  mode: 'merge',
  verified: true,
  files: {
    new: { files: 1, bytes: 10 },
    changed: { files: 0, bytes: 0 },
    unchanged: { files: 0, bytes: 0 },
    kept: { files: 0, bytes: 0 },
    movedAside: { files: 0, bytes: 0 },
  },
  mixedPartitions: { count: 0, sample: [] },
  missingFiles: 0,
  space: { neededBytes: 4096, neededFiles: 1, freeBytes: 1_000_000, freeFiles: null, sufficient: true },
  databases: [{ name: 'arc', path: '/arc/arc.db', action: 'replace', bytes: 4096 }],
  configuration: { name: 'arc.toml', path: '/arc/arc.toml', action: 'keep', why: 'not asked for', bytes: 100 },
  warnings: [],
}

/** The seam to the engine: keeps what it was asked, and answers from what a test puts into it. */
export class Engine implements Operations {
  readonly asked: {
    what: string
    request: BackupRequest | RestoreRequest | VerifyRequest | PruneRequest
    caller: Caller
  }[] = []
  readonly deleted: string[] = []
  current: OperationStatus | null = null
  /** Thrown by whatever is called next. */
  failure: unknown = null
  warnings: string[] = []
  readonly resumed: string[] = []
  readonly discarded: string[] = []
  readonly pages: { limit: number; before: string | undefined }[] = []
  isReady = true
  /** SHA-256 of the one credential that may read the status. */
  credential: string | null = null

  async startBackup(request: BackupRequest, caller: Caller) {
    return this.#start('backup', request, caller, 'backup-20261123-110000-00000001')
  }

  async startRestore(request: RestoreRequest, caller: Caller) {
    this.#find(request.backupId)
    return this.#start('restore', request, caller, request.backupId)
  }

  async planRestore(request: RestoreRequest): Promise<RestorePlan> {
    this.#fail()
    this.#find(request.backupId)
    return plan
  }

  async startVerify(request: VerifyRequest, caller: Caller) {
    this.#find(request.backupId)
    return this.#start('verify', request, caller, request.backupId)
  }

  async deleteBackup(id: string) {
    this.#fail()
    this.#find(id)
    this.deleted.push(id)
  }

  timezone = 'UTC'

  async startPrune(request: PruneRequest, caller: Caller) {
    return this.#start('prune', request, caller, '')
  }

  async planPrune(request: PruneRequest) {
    this.#fail()
    const { timezone } = request.policy
    return { target: 'local', timezone, keep: [], remove: [], warnings: [] }
  }

  async pin(id: string) {
    this.#fail()
    this.#find(id)
    return 'local'
  }

  async unpin(id: string) {
    return this.pin(id)
  }

  targetNames: readonly string[] = ['local']

  async listBackups(): Promise<BackupList> {
    this.#fail()
    return { backups: [{ backup_id: arcBackupId, backup_type: 'full' }], warnings: this.warnings, unreachable: [] }
  }

  async showBackup(id: string) {
    this.#fail()
    this.#find(id)
    return { version: 'dev', backup_id: id, databases: [{ name: '<a>&b' }] }
  }

  status() {
    return this.current
  }

  live() {
    return this.current ? [this.current] : []
  }

  operations(limit: number, before?: string): JournalEntry[] {
    this.#fail()
    this.pages.push({ limit, before })
    return this.current
      ? [{ status: this.current, request: { includeMetadata: true }, caller: 'nightly', resumable: false }]
      : []
  }

  operation(id: string): JournalEntry {
    const [entry] = this.operations(1)
    if (entry?.status.operationId === id) return entry
    throw new ServiceError('NOT_FOUND', 'Operation not found')
  }

  findings(id: string) {
    this.operation(id)
    return Readable.from(['{"flaw":"missing"}\n'])
  }

  ready() {
    return this.isReady
  }

  readonly ends: ((status: OperationStatus) => void)[] = []
  measured: Measures = { workers: 2, queued: 0, retries: [], latencies: [], flights: [] }
  room: TargetSpace[] = []

  onEnd(tell: (status: OperationStatus) => void) {
    this.ends.push(tell)
  }

  measures() {
    return this.measured
  }

  bandwidth: number | null = null

  limits() {
    this.#fail()
    return { bandwidth: this.bandwidth, memory: 2 ** 30, priority: 'normal' as const, workers: 2 }
  }

  limitBandwidth(bandwidth: number | null) {
    this.bandwidth = bandwidth
    return this.limits()
  }

  async space() {
    return this.room
  }

  mayReadStatus(credential: string) {
    return this.credential === credential
  }

  cancel() {
    this.#fail()
  }

  async resume(id: string) {
    this.#fail()
    this.resumed.push(id)
    return { backupId: 'backup-20261123-103045-c526b8a7', operationId: id, target: 'local' }
  }

  async discard(id: string) {
    this.#fail()
    this.discarded.push(id)
  }

  #start(
    what: string,
    request: BackupRequest | RestoreRequest | VerifyRequest | PruneRequest,
    caller: Caller,
    backupId: string,
  ) {
    this.#fail()
    this.asked.push({ what, request, caller })
    return { backupId, operationId, target: 'local' }
  }

  #find(id: string) {
    if (id !== arcBackupId) throw new ServiceError('NOT_FOUND', 'Backup not found')
  }

  #fail() {
    const { failure } = this
    this.failure = null
    if (failure !== null) throw failure
  }
}

export interface Answer {
  readonly status: number
  readonly text: string
  /** The same where it is an error, without what ours have beside Arc's. */
  readonly arcs: string
  readonly json: Record<string, unknown>
  readonly headers: Headers
}

export interface Api {
  readonly url: string
  readonly port: number
  readonly folder: string
  readonly engine: Engine
  /** Lines of the log, at level trace. */
  readonly log: string[]
  /** An admin's request, unless `headers` say otherwise. */
  call(
    method: string,
    path: string,
    init?: { body?: string | Uint8Array<ArrayBuffer> | ReadableStream; headers?: Record<string, string> },
  ): Promise<Answer>
  post(path: string, body: unknown): Promise<Answer>
  /** What the server sends back for these bytes until it closes the connection. */
  raw(text: string): Promise<string>
}

export interface ApiOptions extends Partial<ServerOptions> {
  readonly auth?: false
  readonly isLocal?: false
  readonly feed?: Partial<FeedOptions>
}

/** The API on a free port over a copy of Arc's `arc.db`; the test ends it. */
export async function startApi(t: Test, options: ApiOptions = {}): Promise<Api> {
  const folder = t.testdir({})
  copyFixture(folder)
  const log: string[] = []
  const engine = new Engine()
  const authenticator = openAuthenticator({
    dbPath: `${folder}/data/arc.db`,
    cacheTtlMs: 300_000,
    maxCacheSize: 100,
    bootstrapToken: null,
  })
  const feed = new Feed(engine, options.feed)
  const metrics = new Metrics(engine)
  // It has looked how operations went before.
  engine.pages.length = 0
  const app = createApp({
    operations: engine,
    feed,
    metrics,
    authenticator: options.auth === false ? null : authenticator,
    isLocal: options.isLocal ?? true,
    log: pino({ level: 'trace', messageKey: 'message' }, { write: (line: string) => log.push(line) }),
  })
  const server = createServer(app, { tls: null, readTimeoutMs: 30_000, idleTimeoutMs: 30_000, ...options })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(async () => {
    server.close()
    feed.endWaits()
    metrics.close()
    feed.close()
    server.closeAllConnections()
    authenticator.close()
  })
  const url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const call: Api['call'] = async (method, path, { body, headers } = {}) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: headers ?? { authorization: `Bearer ${adminToken}` },
      ...(body !== undefined && { body, duplex: 'half' }),
    } as RequestInit)
    const text = await answer.text()
    const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}
    return { status: answer.status, text, arcs: arcsPart(text), json, headers: answer.headers }
  }
  const post: Api['post'] = (path, body) =>
    call('POST', path, {
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    })
  const raw: Api['raw'] = async (text) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      received += chunk
    })
    // A server that closes while we still send is no failure of the test.
    socket.on('error', () => {})
    socket.write(text, 'latin1')
    await once(socket, 'close')
    return received
  }
  return { url, port, folder, engine, log, call, post, raw }
}

export function as(token: string | undefined): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } }
}

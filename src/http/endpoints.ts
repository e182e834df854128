import type { z } from 'zod'
import type { ErrorCode } from '../errors.js'
import * as answers from './answers.js'
import { limitsSchema } from './limits.js'
import { createSchema, limitSchema, pageSchema, restoreSchema, verifySchema, waitSchema } from './requests.js'
import { pruneSchema } from './retention.js'

/** One answer that is no error. */
export interface AnswerOf {
  readonly description: string
  readonly type?: string
  /** Absent: free text of that type. */
  readonly schema?: z.ZodType
  readonly example?: unknown
}

/** What is said of a route, and held against every answer in the tests. */
export interface Endpoint {
  readonly method: 'get' | 'post' | 'delete' | 'patch'
  /** With `{id}` for what varies. */
  readonly path: string
  /** The name of the call in a client that is generated from it. */
  readonly name: string
  readonly summary: string
  readonly description?: string
  /** Needs no token. */
  readonly isPublic?: true
  readonly id?: 'backup' | 'operation'
  /** Fields of the query; `target` stands for itself. */
  readonly query?: z.ZodObject | 'target'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: z.ZodObject
  readonly answers: Readonly<Record<number, AnswerOf>>
  /** Beside those that every route has. */
  readonly errors: readonly ErrorCode[]
}

/** Whatever reads or writes a store may end with one of these. */
const ofStores = [
  ...(['STORE_DENIED', 'STORE_IO', 'STORE_FULL', 'STORE_AUTH', 'BUCKET_NOT_FOUND', 'READ_ONLY'] as const),
  ...(['THROTTLED', 'STORE_TIMEOUT', 'STORE_UNREACHABLE', 'TLS', 'WRONG_REGION', 'CLOCK_SKEW'] as const),
] satisfies ErrorCode[]
const ofTokens = ['UNAUTHENTICATED', 'FORBIDDEN', 'TOO_MANY_REQUESTS'] satisfies ErrorCode[]
const ofAll = ['UNAVAILABLE', 'INTERNAL'] satisfies ErrorCode[]

/** All that a route may refuse with or fail with. */
export function errorsOf({ isPublic, errors, body }: Endpoint): ErrorCode[] {
  return [
    ...(isPublic ? [] : ofTokens),
    ...errors,
    ...(body ? (['REQUEST_INVALID', 'TOO_LARGE'] as const) : []),
    ...ofAll,
  ]
}

const group = '/api/v1/backup'
const backupId = 'backup-20261123-103045-c526b8a7'
const operationId = '0123456789ab'
const begun = { backup_id: backupId, operation_id: operationId, status: 'running', target: 'local' }
const status = {
  operation: 'backup',
  backup_id: backupId,
  status: 'running',
  total_files: 36,
  processed_files: 12,
  skipped_files: 0,
  total_bytes: 83_766,
  processed_bytes: 4000,
  started_at: '2026-11-23T10:30:45.583188Z',
  operation_id: operationId,
  event_id: `${operationId}.copying.12.4000`,
  target: 'local',
  outcome: null,
  phase: 'copying',
  phase_ms: { listing: 5 },
  bytes_per_second: 1000,
  eta_seconds: 80,
  warnings: [],
}
const limits = {
  bandwidth_limit: '200MB/s',
  bandwidth_limit_bytes: 200_000_000,
  memory_limit_bytes: 1_073_741_824,
  priority: 'normal',
  workers: 2,
}
const operation = { ...status, resumable: false, requested_by: 'nightly', request: { include_metadata: true } }
const restorePlan = {
  dry_run: true,
  plan_id: '52a1c3e4d5f60718.9d0f5b2a1c3e4d5f.i.1420.0.0.i.1400.1.2s.0.0.1.0.rk',
  backup_id: backupId,
  target: 'local',
  mode: 'merge',
  verified: true,
  files: {
    new: { files: 18, bytes: 47_808 },
    changed: { files: 0, bytes: 0 },
    unchanged: { files: 18, bytes: 46_656 },
    kept: { files: 1, bytes: 100 },
    moved_aside: { files: 0, bytes: 0 },
  },
  mixed_partitions: { count: 1, sample: ['metrics/cpu/2026/01/01'] },
  missing_files: 0,
  space: {
    needed_bytes: 147_456,
    needed_files: 36,
    free_bytes: 69_793_218_560,
    free_files: 16_000_000,
    sufficient: true,
  },
  databases: [{ name: 'arc', path: '/var/lib/arc/arc.db', action: 'replace', bytes: 135_168 }],
  configuration: { name: 'arc.toml', path: '/etc/arc/arc.toml', action: 'keep', why: 'not asked for', bytes: 2048 },
  warnings: [],
}
const schedule = {
  cron: '0 3 * * *',
  timezone: 'Europe/Berlin',
  target: 'local',
  verify: 'quick',
  prune: { keep_daily: 7, keep_weekly: 4 },
  next_run: '2026-11-24T02:00:00Z',
}
const run = {
  due_at: '2026-11-23T02:00:00Z',
  missed_runs: 0,
  began_at: '2026-11-23T02:00:00.012Z',
  ended_at: '2026-11-23T02:14:09.530Z',
  outcome: 'completed',
  backup_operation: operationId,
  verify_operation: '123456789abc',
  prune_operation: '23456789abcd',
}
const cancelling = {
  202: {
    description: 'It was asked to end.',
    schema: answers.cancelling,
    example: { message: 'Cancelling', status: 'running' },
  },
}

/** Every route, in the order of the document. */
export const endpoints: readonly Endpoint[] = [
  {
    method: 'post',
    path: group,
    name: 'createBackup',
    summary: 'Start a backup',
    body: createSchema,
    answers: {
      202: {
        description: 'The backup goes on; its state is at `/api/v1/backup/status`.',
        schema: answers.backupStarted,
        example: { ...begun, message: 'Backup started' },
      },
    },
    errors: ['BUSY', ...ofStores],
  },
  {
    method: 'get',
    path: group,
    name: 'listBackups',
    summary: 'List all backups',
    answers: {
      200: {
        description: 'The backups at all targets, newest first.',
        schema: answers.backupList,
        example: {
          backups: [
            {
              backup_id: backupId,
              created_at: '2026-11-23T10:30:45.583188582Z',
              backup_type: 'full',
              total_files: 36,
              total_size_bytes: 83_766,
              database_count: 2,
              target: 'local',
            },
          ],
          count: 1,
        },
      },
    },
    errors: ofStores,
  },
  {
    method: 'get',
    path: `${group}/status`,
    name: 'getStatus',
    summary: 'The running or last backup or restore',
    description:
      'With `wait`, the answer comes as soon as the operation or its phase is another than in the status that `since` names, a quarter of a second after a mere ' +
      'progress, and when the time is over. Who began an operation may read this also when a restore has removed the token.',
    query: waitSchema,
    answers: { 200: { description: 'How it stands or ended.', schema: answers.status, example: status } },
    errors: ['REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: `${group}/schedule`,
    name: 'getSchedule',
    summary: 'What runs by itself, when it is due next, and how its runs ended',
    query: limitSchema,
    answers: {
      200: {
        description: 'The schedule; null where there is none.',
        schema: answers.scheduled,
        example: { schedule: { ...schedule, last_run: run }, runs: [run], count: 1 },
      },
    },
    errors: ['REQUEST_INVALID'],
  },
  {
    method: 'get',
    path: `${group}/events`,
    name: 'streamEvents',
    summary: 'What goes on, as server-sent events',
    description:
      '`event` is `phase`, `progress`, `completed` or `failed`, `data` an OperationStatus on one line, `id` its `event_id`. At most four events a second; a client that ' +
      'does not read is dropped. A new client hears of what runs; one that sends `Last-Event-ID` hears first of the ends that it missed. A comment comes every 15 seconds ' +
      'of silence. The stream ends after 15 minutes: connect again with the last id.',
    headers: { 'Last-Event-ID': 'the last `id` that you have, or only the id of an operation' },
    answers: {
      200: {
        description: 'Events without end.',
        type: 'text/event-stream',
        example: `event: phase\nid: ${status.event_id}\ndata: ${JSON.stringify(status)}\n\n`,
      },
    },
    errors: [],
  },
  {
    method: 'get',
    path: `${group}/operations`,
    name: 'listOperations',
    summary: 'Operations on record, newest first',
    query: pageSchema,
    answers: {
      200: {
        description: 'A page of them.',
        schema: answers.operationList,
        example: { operations: [operation], count: 1 },
      },
    },
    errors: ['REQUEST_INVALID', 'NOT_FOUND'],
  },
  {
    method: 'get',
    path: `${group}/operations/{id}`,
    name: 'getOperation',
    summary: 'How an operation stands or ended',
    id: 'operation',
    answers: { 200: { description: 'The operation.', schema: answers.operation, example: operation } },
    errors: ['NOT_FOUND'],
  },
  {
    method: 'get',
    path: `${group}/operations/{id}/findings`,
    name: 'getFindings',
    summary: 'All that a verify found wrong',
    id: 'operation',
    answers: {
      200: {
        description: 'A Finding as a line of JSON each; empty where nothing is wrong.',
        type: 'application/x-ndjson',
        example:
          '{"flaw":"missing","path":"data/metrics/cpu/2026/11/23/10/x.parquet","code":"STORE_NOT_FOUND","message":"it is not there"}\n',
      },
    },
    errors: ['NOT_FOUND'],
  },
  {
    method: 'post',
    path: `${group}/operations/{id}/resume`,
    name: 'resumeOperation',
    summary: 'Go on with an interrupted operation',
    id: 'operation',
    answers: {
      202: { description: 'It goes on.', schema: answers.resumed, example: { ...begun, message: 'Resumed' } },
    },
    errors: ['REQUEST_INVALID', 'NOT_FOUND', 'BUSY', ...ofStores],
  },
  {
    method: 'post',
    path: `${group}/operations/{id}/discard`,
    name: 'discardOperation',
    summary: 'Give an interrupted operation up, and remove what it left',
    id: 'operation',
    answers: {
      200: {
        description: 'It is gone.',
        schema: answers.discarded,
        example: { message: 'Discarded', operation_id: operationId },
      },
    },
    errors: ['REQUEST_INVALID', 'NOT_FOUND', 'BUSY', ...ofStores],
  },
  {
    method: 'post',
    path: `${group}/operations/{id}/cancel`,
    name: 'cancelOperation',
    summary: 'Ask a running operation to end',
    id: 'operation',
    answers: cancelling,
    errors: ['NOT_FOUND', 'BUSY'],
  },
  {
    method: 'post',
    path: `${group}/cancel`,
    name: 'cancel',
    summary: 'Ask the running backup or restore to end',
    answers: cancelling,
    errors: ['NOT_FOUND', 'BUSY'],
  },
  {
    method: 'post',
    path: `${group}/restore`,
    name: 'restoreBackup',
    summary: 'Start a restore, or look what it would do',
    query: 'target',
    body: restoreSchema,
    answers: {
      200: {
        description: 'With `dry_run`: what a restore would do.',
        schema: answers.restorePlan,
        example: restorePlan,
      },
      202: {
        description: 'The restore goes on; its state is at `/api/v1/backup/status`.',
        schema: answers.restoreStarted,
        example: { ...begun, message: 'Restore started', mode: 'merge' },
      },
    },
    errors: ['NOT_FOUND', 'BUSY', 'PLAN_CHANGED', 'MANIFEST_INVALID', 'INTEGRITY', ...ofStores],
  },
  {
    method: 'post',
    path: `${group}/{id}/verify`,
    name: 'verifyBackup',
    summary: 'Look whether a backup is whole',
    id: 'backup',
    query: 'target',
    body: verifySchema,
    answers: {
      202: {
        description: 'The verify goes on, beside whatever runs; its state is at `/api/v1/backup/operations/{id}`.',
        schema: answers.verifyStarted,
        example: { ...begun, level: 'full', message: 'Verify started' },
      },
    },
    errors: ['NOT_FOUND', 'BUSY', ...ofStores],
  },
  {
    method: 'post',
    path: `${group}/prune`,
    name: 'pruneBackups',
    summary: 'Remove the backups of a target that no rule keeps',
    description:
      "The words mean what they mean to restic's forget. Backups of some databases only are judged apart from those of all. The newest stays, so does the newest that " +
      'verified, and so does what is pinned, whatever the rules say.',
    body: pruneSchema,
    answers: {
      200: {
        description: 'A dry run: what would be kept, by which rules, and what would be removed.',
        schema: answers.prunePlan,
        example: {
          dry_run: true,
          target: 'local',
          timezone: 'Europe/Berlin',
          keep: [{ backup_id: backupId, created_at: '2026-11-23T10:30:45Z', reasons: ['daily', 'newest'] }],
          remove: [],
        },
      },
      202: {
        description: 'The prune goes on; its state is at `/api/v1/backup/status`.',
        schema: answers.pruneStarted,
        example: { message: 'Prune started', operation_id: operationId, status: 'running', target: 'local' },
      },
    },
    errors: ['BUSY', ...ofStores],
  },
  {
    method: 'post',
    path: `${group}/{id}/pin`,
    name: 'pinBackup',
    summary: 'Keep a backup from every prune',
    description: 'The pin is a file at the target, beside the backup. A delete of this very backup still removes it.',
    id: 'backup',
    query: 'target',
    answers: {
      200: {
        description: 'It is pinned.',
        schema: answers.pinned,
        example: { backup_id: backupId, message: 'Backup pinned', pinned: true, target: 'local' },
      },
    },
    errors: ['REQUEST_INVALID', 'NOT_FOUND', 'BUSY', ...ofStores],
  },
  {
    method: 'delete',
    path: `${group}/{id}/pin`,
    name: 'unpinBackup',
    summary: 'Let a prune remove a backup again',
    id: 'backup',
    query: 'target',
    answers: {
      200: {
        description: 'It is not pinned.',
        schema: answers.pinned,
        example: { backup_id: backupId, message: 'Backup unpinned', pinned: false, target: 'local' },
      },
    },
    errors: ['REQUEST_INVALID', 'NOT_FOUND', ...ofStores],
  },
  {
    method: 'get',
    path: `${group}/limits`,
    name: 'getLimits',
    summary: 'How much of the machine all operations together may take',
    answers: { 200: { description: 'As it is at the moment.', schema: answers.limits, example: limits } },
    errors: [],
  },
  {
    method: 'patch',
    path: `${group}/limits`,
    name: 'setLimits',
    summary: 'Change the bandwidth limit',
    description:
      'Holds at once, for what runs too, until the service ends: then it is what the configuration says again.',
    body: limitsSchema,
    answers: { 200: { description: 'As it is now.', schema: answers.limits, example: limits } },
    errors: [],
  },
  {
    method: 'get',
    path: `${group}/{id}`,
    name: 'getBackup',
    summary: 'The manifest of a backup',
    id: 'backup',
    query: 'target',
    answers: {
      200: {
        description: 'What it holds.',
        schema: answers.manifest,
        example: {
          version: 'arc-backup/0.1.0',
          backup_id: backupId,
          created_at: '2026-11-23T10:30:45.583188582Z',
          backup_type: 'full',
          databases: [
            {
              name: 'metrics',
              measurements: [{ name: 'cpu', file_count: 36, size_bytes: 83_766 }],
              file_count: 36,
              size_bytes: 83_766,
            },
          ],
          total_files: 36,
          total_size_bytes: 83_766,
          has_metadata: true,
          has_config: true,
        },
      },
    },
    errors: ['REQUEST_INVALID', 'NOT_FOUND', ...ofStores],
  },
  {
    method: 'delete',
    path: `${group}/{id}`,
    name: 'deleteBackup',
    summary: 'Delete a backup',
    id: 'backup',
    query: 'target',
    answers: {
      200: {
        description: 'It is gone for good from every list.',
        schema: answers.deleted,
        example: { backup_id: backupId, message: 'Backup deleted' },
      },
    },
    errors: ['REQUEST_INVALID', 'NOT_FOUND', 'BUSY', 'OBJECT_LOCKED', 'LOCK_LOST', ...ofStores],
  },
  {
    method: 'get',
    path: '/health',
    name: 'getHealth',
    summary: 'Does the process answer',
    isPublic: true,
    answers: {
      200: {
        description: 'It does.',
        schema: answers.health,
        example: { status: 'ok', time: '2026-11-23T10:30:45Z', uptime: '1m3s', uptime_sec: 63.2 },
      },
    },
    errors: [],
  },
  {
    method: 'get',
    path: '/ready',
    name: 'getReady',
    summary: 'Can an operation be started',
    isPublic: true,
    answers: {
      200: {
        description: 'It can.',
        schema: answers.ready,
        example: { status: 'ready', time: '2026-11-23T10:30:45Z', uptime_sec: 63.2 },
      },
      503: {
        description: 'The service is stopping.',
        schema: answers.notReady,
        example: { reason: 'shutting down', status: 'not_ready', time: '2026-11-23T10:30:45Z' },
      },
    },
    errors: [],
  },
  {
    method: 'get',
    path: '/metrics',
    name: 'getMetrics',
    summary: 'Measurements for Prometheus',
    isPublic: true,
    answers: {
      200: {
        description: "In Prometheus' text format.",
        type: 'text/plain',
        example:
          'arc_backup_last_success_timestamp_seconds{operation="backup",target="local"} 1795429845\narc_backup_pool_threads 2\n',
      },
    },
    errors: [],
  },
  {
    method: 'get',
    path: '/openapi.json',
    name: 'getDescription',
    summary: 'This description',
    isPublic: true,
    answers: { 200: { description: 'OpenAPI 3.1.', schema: answers.description, example: { openapi: '3.1.0' } } },
    errors: [],
  },
]

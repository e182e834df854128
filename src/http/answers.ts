import { z } from 'zod'
import { errorCodes } from '../errors.js'
import { recordedRequest } from './recorded-request.js'

const count = (description: string) => z.int().min(0).meta({ description })
const bytes = (description: string) =>
  z
    .int()
    .min(0)
    .meta({ description: `${description}, in bytes` })
const text = (description: string, ...examples: string[]) =>
  z.string().meta({ description, ...(examples.length > 0 && { examples }) })
const time = (description: string) =>
  z.iso
    .datetime({ offset: true })
    .meta({ description: `${description} (RFC 3339)`, examples: ['2026-11-23T10:30:45Z'] })

export const backupId = z
  .string()
  .regex(/^backup-\d{8}-\d{6}-[a-f0-9]{8}$/)
  .meta({ description: 'id of a backup; the time in it is UTC', examples: ['backup-20261123-103045-c526b8a7'] })
export const operationId = z
  .string()
  .regex(/^[0-9a-f]{12}$/)
  .meta({ description: 'id of an operation', examples: ['0123456789ab'] })
const targetName = text('name of the target that has the backup', 'local')
const databaseNames = z.array(z.string()).meta({ description: 'the databases that it is limited to' })
const code = z.enum(errorCodes).meta({ description: 'what went wrong, for programs' })
const why = text('the same for people', 'permission denied')
const runs = z.literal('running').meta({ description: 'it has begun; its end is in `/status` and on record' })
const mode = z
  .enum(['merge', 'replace'])
  .meta({ description: 'merge: live Parquet files that the backup lacks are kept; replace: they are moved aside' })
const level = z
  .enum(['quick', 'full', 'deep'])
  .meta({ description: 'quick: names and sizes; full: every byte; deep: what the files are, too' })

const gap = z
  .strictObject({ path: text('which file', 'metrics/cpu/2026/01/01/00/a.parquet'), code, message: why })
  .meta({ id: 'Gap', description: 'A file that could not be copied, or is not as it should be, and why.' })
const gaps = (description: string) =>
  z
    .array(gap)
    .max(32)
    .meta({ description: `at most 32 of the files ${description}` })

const phases = ['listing', 'copying', 'settling', 'metadata', 'sealing', 'reading', 'checking', 'staging'] as const
const morePhases = ['syncing', 'switching', 'cleaning', 'done'] as const
const phase = z.enum([...phases, ...morePhases])
const outcome = z.enum(['completed', 'gaps', 'failed', 'interrupted', 'cancelled'])

const keepReason = z.enum([
  ...(['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly', 'within'] as const),
  ...(['newest', 'newest verified', 'pinned', 'being verified'] as const),
])
const keepReasons = z.array(keepReason).meta({ description: 'the rules that keep it' })

const flight = z
  .strictObject({
    store: text('`storage`, or `target:` and the name of a target', 'target:offsite'),
    files: count('on their way'),
    limit: count(
      'most that may be at the moment: it grows while that brings more through, and halves when the store asks for less',
    ),
  })
  .meta({ id: 'Flight', description: 'How many files a remote store is given at once.' })

const statusFields = {
  operation: z.enum(['backup', 'restore', 'verify', 'prune', 'delete']).meta({ description: 'of what kind it is' }),
  backup_id: backupId.optional(),
  status: z.enum(['running', 'completed', 'failed']).meta({ description: "Arc's three words; `outcome` says more" }),
  total_files: count('files to be moved, as far as they are listed'),
  processed_files: count('files moved so far'),
  skipped_files: count('files that could not be read'),
  total_bytes: bytes('size of the files to be moved, as far as they are listed'),
  processed_bytes: bytes('moved so far'),
  in_flight: z
    .array(flight)
    .meta({ description: 'while it runs: files on their way to and from each remote store' })
    .optional(),
  server_side_files: count('of the processed files, those that a store copied by itself').optional(),
  reused_files: count('of the processed files, those that an earlier backup at the target had').optional(),
  reused_bytes: bytes('their size').optional(),
  started_at: time('when it began'),
  completed_at: time('when it ended').optional(),
  error: text('why it failed').optional(),
  error_code: code.meta({ description: 'the same for programs' }).optional(),
  operation_id: operationId,
  event_id: text('which operation, and how far it is', '0123456789ab.copying.12.4000'),
  target: targetName,
  outcome: outcome.nullable().meta({ description: 'null while it runs; `gaps`: complete but for the skipped files' }),
  phase: phase.meta({ description: 'where it stands' }),
  phase_ms: z.partialRecord(phase, z.number().min(0)).meta({ description: 'milliseconds spent in each phase so far' }),
  bytes_per_second: count('mean of the last seconds while it runs, of the whole operation afterwards'),
  eta_seconds: count('seconds to go')
    .nullable()
    .meta({ description: 'seconds to go; null while the total is not known' }),
  warnings: z.array(z.string()).meta({ description: 'what an operator should know of it' }),
  resumes: count('how often it went on after an interruption').optional(),
  databases: databaseNames.optional(),
  skipped_sample: gaps('that could not be read').optional(),
  settled_passes: count('a backup: listings until nothing of what was copied was lost any more').optional(),
  replaced_files: count(
    'a backup: copied and taken out again, because Arc had merged them; a restore in mode replace: live files moved aside',
  ).optional(),
  consumed_inputs_skipped: count('a backup: left out because a merged file stands for them').optional(),
  mode: mode.meta({ description: 'only of a restore' }).optional(),
  verified: z
    .union([z.boolean(), z.enum(['quick', 'full', 'deep', 'damaged'])])
    .nullable()
    .meta({
      description:
        'a restore: was every byte checked against a recorded SHA-256; a verify: its verdict; null until that is known',
    })
    .optional(),
  missing_files: count('a restore or a verify: files that the backup should have').optional(),
  missing_sample: gaps('that are missing').optional(),
  unchanged_files: count('a restore: of the processed files, those that were in their place already').optional(),
  kept_files: count('a restore: live Parquet files that the backup lacks, left in place').optional(),
  kept_partitions: z
    .array(z.string())
    .max(32)
    .meta({ description: 'a restore: at most 32 of the day partitions that now hold restored and kept files' })
    .optional(),
  level: level.meta({ description: 'only of a verify: how closely it looked' }).optional(),
  damaged_files: count('only of a verify').optional(),
  unexpected_files: count('only of a verify: files that no backup of this manifest has').optional(),
  damaged_sample: gaps('that are damaged').optional(),
  unexpected_sample: gaps('that are unexpected').optional(),
  timezone: text('a prune: where hours, days and weeks begin', 'Europe/Berlin').optional(),
  kept_backups: count('only of a prune').optional(),
  removed_backups: count('only of a prune').optional(),
  failed_backups: count('only of a prune: those that could not be removed').optional(),
  kept: z
    .array(z.strictObject({ backup_id: backupId, reasons: keepReasons }))
    .meta({ description: 'a prune: at most 1,000 of the backups that are kept' })
    .optional(),
  removed: z.array(backupId).meta({ description: 'a prune: at most 1,000 of the backups that are gone' }).optional(),
  failed: z
    .array(z.strictObject({ backup_id: backupId, code, message: why }))
    .meta({ description: 'a prune: at most 1,000 of the backups that could not be removed, and why' })
    .optional(),
}

export const operationStatus = z
  .strictObject(statusFields)
  .meta({ id: 'OperationStatus', description: 'How an operation stands or ended.' })
const idle = z.strictObject({ status: z.literal('idle').meta({ description: 'nothing ever ran' }) })
const run = z
  .strictObject({
    due_at: time('when it should have begun'),
    missed_runs: count('how often more it was due until its backup began: these are not made up'),
    began_at: time('when it began, or began to wait'),
    ended_at: time('when it ended').optional(),
    outcome: outcome.meta({ description: 'the worst of its operations' }).optional(),
    note: text('what went wrong, or why nothing was pruned').optional(),
    backup_operation: operationId.optional(),
    verify_operation: operationId.optional(),
    prune_operation: operationId.optional(),
  })
  .meta({ id: 'ScheduledRun', description: 'A backup, a verify of it and a prune, by the schedule.' })
const schedule = z
  .strictObject({
    cron: text('when it is due', '0 3 * * *'),
    timezone: text('by whose clock', 'Europe/Berlin'),
    target: text('name of the target', 'local'),
    verify: z.enum(['none', 'quick', 'full', 'deep']).meta({ description: 'how closely each backup is looked at' }),
    prune: z
      .record(z.string(), count('how many the rule keeps'))
      .nullable()
      .meta({ description: 'what a prune keeps; null: nothing is removed' }),
    next_run: time('when it is due next')
      .nullable()
      .meta({ description: 'when it is due next (RFC 3339); null: never again' }),
    current_run: run.optional(),
    last_run: run.optional(),
  })
  .meta({ id: 'Schedule', description: 'What runs by itself.' })
const withSchedule = { schedule: schedule.optional() }
export const status = z.union([
  idle.extend(withSchedule).meta({ id: 'IdleStatus', description: 'No operation is on record.' }),
  operationStatus
    .extend(withSchedule)
    .meta({ id: 'Status', description: 'How the last operation stands or ended, and what is scheduled.' }),
])
export const scheduled = z.strictObject({
  schedule: schedule.nullable().meta({ description: 'null where nothing is scheduled' }),
  runs: z.array(run).meta({ description: 'newest first; the last thousand are kept' }),
  count: count('runs in this list'),
})

export const operation = operationStatus
  .extend({
    resumable: z.boolean().meta({ description: 'it was interrupted, and can be resumed or discarded' }),
    requested_by: text('name of the token that asked', 'nightly'),
    request: recordedRequest,
  })
  .meta({ id: 'Operation', description: 'An operation on record.' })
export const operationList = z.strictObject({
  operations: z.array(operation).meta({ description: 'newest first' }),
  count: count('operations in this page'),
})

const summary = z
  .strictObject({
    backup_id: backupId,
    created_at: time('when the backup began'),
    backup_type: text('always full', 'full'),
    total_files: count('Parquet files'),
    total_size_bytes: bytes('size of the Parquet files'),
    database_count: count('databases'),
    skipped_files: count('files that the backup lacks').optional(),
    skipped_metadata_files: count("only in Arc's own: schema files that it lacks").optional(),
    skipped_overlong_keys: count("only in Arc's own: files whose names were too long").optional(),
    unaddressable_files: count("only in Arc's own: files whose names could not be used").optional(),
    pinned: z.literal(true).meta({ description: 'no prune removes it' }).optional(),
    scope: databaseNames.optional(),
    reused_files: count('of the files, those that an earlier backup at the target had').optional(),
    reused_bytes: bytes('their size').optional(),
    target: targetName,
    verified: z
      .enum(['quick', 'full', 'deep', 'damaged'])
      .meta({ description: 'what the last verify found' })
      .optional(),
    verified_at: time('when that was').optional(),
  })
  .meta({ id: 'BackupSummary', description: 'A backup in the list.' })

export const backupList = z
  .strictObject({
    backups: z.array(summary).meta({ description: 'newest first' }),
    count: count('backups in the list'),
    unreachable_targets: z.array(z.string()).meta({ description: 'targets that gave no answer' }).optional(),
    warning: text('the same as a sentence').optional(),
    warnings: z.array(z.string()).meta({ description: 'what is not in the list, and why' }).optional(),
  })
  .meta({ id: 'BackupList', description: 'All backups at all targets.' })

const measurement = z
  .strictObject({
    name: text('its name', 'cpu'),
    file_count: count('Parquet files'),
    size_bytes: bytes('their size'),
  })
  .meta({ id: 'Measurement', description: 'A measurement in a backup.' })
const database = z
  .strictObject({
    name: text('its name', 'metrics'),
    measurements: z.array(measurement).meta({ description: 'by name' }),
    file_count: count('Parquet files'),
    size_bytes: bytes('their size'),
  })
  .meta({ id: 'Database', description: 'A database in a backup.' })

export const manifest = z
  .strictObject({
    version: text('what wrote the backup', 'arc-backup/0.1.0'),
    backup_id: backupId,
    created_at: time('when the backup began'),
    backup_type: text('always full', 'full'),
    databases: z.array(database).nullable().meta({ description: 'null where there is none' }),
    total_files: count('Parquet files'),
    total_size_bytes: bytes('size of the Parquet files'),
    skipped_files: count('files that the backup lacks').optional(),
    has_metadata: z.boolean().meta({ description: 'does it hold arc.db' }),
    has_iceberg_catalog: z.boolean().meta({ description: "does it hold Arc's Iceberg catalog" }).optional(),
    has_config: z.boolean().meta({ description: 'does it hold arc.toml' }),
    skipped_sample: z.array(z.string()).max(32).meta({ description: 'paths of at most 32 skipped files' }).optional(),
    skipped_metadata_files: count("only in Arc's own: schema files that it lacks").optional(),
    skipped_overlong_keys: count("only in Arc's own: files whose names were too long").optional(),
    unaddressable_files: count("only in Arc's own: files whose names could not be used").optional(),
    auxiliary_files: count('schema anchors among the files').optional(),
    compaction_state_files: count('files of compactions that were under way').optional(),
    settled_passes: count('listings until nothing of what was copied was lost any more').optional(),
    replaced_files: count('copied and taken out again, because Arc had merged them').optional(),
    consumed_inputs_skipped: count('left out because a merged file stands for them').optional(),
    reused_files: count('of the files, those that an earlier backup at the target had').optional(),
    reused_bytes: bytes('their size').optional(),
    scope: databaseNames.optional(),
    warnings: z.array(z.string()).meta({ description: 'what an operator should know of it' }).optional(),
    metadata_files: z.array(z.string()).meta({ description: 'SQLite files, without .db' }).optional(),
    sidecar: z
      .strictObject({
        path: text("relative to the backup's folder", 'manifest-files.json'),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .meta({ description: 'of its bytes' }),
        entries: count('files in it'),
      })
      .meta({ description: 'the list of all files with their SHA-256' })
      .optional(),
  })
  .meta({ id: 'Manifest', description: 'What a backup holds.' })

const begun = {
  backup_id: backupId,
  message: text('what was done', 'Backup started'),
  operation_id: operationId,
  status: runs,
  target: targetName,
}
export const backupStarted = z.strictObject({
  ...begun,
  databases: databaseNames.optional(),
  include_config: z.boolean().meta({ description: 'where the request left it open' }).optional(),
})
export const restoreStarted = z.strictObject({
  ...begun,
  databases: databaseNames.optional(),
  mode,
})
const tally = z
  .strictObject({ files: count('files'), bytes: bytes('their size') })
  .meta({ id: 'Tally', description: 'Files and their bytes.' })
const partPlan = z
  .strictObject({
    name: text('what it is', 'arc'),
    path: text('the live file').nullable().meta({ description: 'the live file; null where none is loaded' }),
    action: z
      .enum(['replace', 'create', 'keep'])
      .meta({ description: 'replace keeps the old state as .before-restore; keep leaves the file as it is' }),
    why: z.enum(['not asked for', 'not in the backup']).meta({ description: 'why it is kept' }).optional(),
    bytes: bytes('size in the backup')
      .nullable()
      .meta({ description: 'size in the backup; null where it is not on record' }),
  })
  .meta({ id: 'PartPlan', description: 'What a restore would do to a SQLite file or to the configuration.' })

export const restorePlan = z
  .strictObject({
    dry_run: z.literal(true).meta({ description: 'nothing was changed' }),
    plan_id: text('for the restore that is to start only if this still holds'),
    backup_id: backupId,
    target: targetName,
    mode,
    verified: z.boolean().meta({ description: 'is a SHA-256 on record for every file' }),
    files: z.strictObject({ new: tally, changed: tally, unchanged: tally, kept: tally, moved_aside: tally }).meta({
      description:
        'new, changed and unchanged: of the backup, compared by size and modification time, or by version tag; kept and moved_aside: live Parquet files that the backup lacks',
    }),
    mixed_partitions: z
      .strictObject({
        count: count('how many'),
        sample: z.array(z.string()).max(32).meta({ description: 'at most 32 of them' }),
      })
      .meta({ description: 'day partitions that would hold compacted files beside raw ones; at most 32 named' }),
    missing_files: count('files that the backup should have and lacks: the restore would end as failed'),
    space: z
      .strictObject({
        needed_bytes: bytes('needed for files at the storage'),
        needed_files: count('files to be written'),
        free_bytes: bytes('free there')
          .nullable()
          .meta({ description: 'bytes free there; null where there is no limit' }),
        free_files: count('inodes').nullable().meta({ description: 'inodes free there; null where there is no limit' }),
        sufficient: z.boolean().meta({ description: 'is there room, also for databases and configuration' }),
      })
      .meta({ description: 'room that must be free before the first file is written' }),
    databases: z.array(partPlan).meta({ description: 'arc.db and the other SQLite files' }),
    configuration: partPlan,
    warnings: z.array(z.string()).meta({ description: 'what an operator should know before' }),
  })
  .meta({ id: 'RestorePlan', description: 'What a restore would do. Nothing was changed.' })
export const verifyStarted = z.strictObject({ ...begun, level })
export const resumed = z.strictObject(begun)
export const discarded = z.strictObject({
  message: text('what was done', 'Discarded'),
  operation_id: operationId,
})
export const cancelling = z.strictObject({
  message: text('what happens now', 'Cancelling'),
  status: runs.meta({ description: 'it ends within two seconds' }),
})
export const pruneStarted = z.strictObject({
  message: text('what was done', 'Prune started'),
  operation_id: operationId,
  status: runs,
  target: targetName,
})
const planned = { backup_id: backupId, created_at: time('when the backup began') }
export const prunePlan = z.strictObject({
  dry_run: z.literal(true).meta({ description: 'nothing was removed' }),
  target: targetName,
  timezone: text('where hours, days and weeks begin', 'Europe/Berlin'),
  keep: z.array(z.strictObject({ ...planned, reasons: keepReasons })).meta({ description: 'newest first' }),
  remove: z.array(z.strictObject(planned)).meta({ description: 'newest first' }),
  warnings: z.array(z.string()).meta({ description: 'backups that could not be read, and stay' }).optional(),
})
export const pinned = z.strictObject({
  backup_id: backupId,
  message: text('what was done', 'Backup pinned'),
  pinned: z.boolean().meta({ description: 'is it kept from every prune' }),
  target: targetName,
})
export const limits = z
  .strictObject({
    bandwidth_limit: text('as it can be set', '200MB/s')
      .nullable()
      .meta({ description: 'as it can be set; null: none' }),
    bandwidth_limit_bytes: count('bytes').nullable().meta({ description: 'the same in bytes a second' }),
    memory_limit_bytes: bytes('what files on their way may take'),
    priority: z.enum(['normal', 'low']).meta({ description: 'low gives way to others' }),
    workers: count('threads that copy'),
  })
  .meta({ id: 'Limits', description: 'How much of the machine all operations together may take.' })
export const deleted = z.strictObject({
  backup_id: backupId,
  message: text('what was done', 'Backup deleted successfully'),
})

export const health = z.strictObject({
  status: z.literal('ok').meta({ description: 'the process answers' }),
  time: time('now'),
  uptime: text('the same for people', '1h2m3s'),
  uptime_sec: z.number().min(0).meta({ description: 'seconds since the start of the process' }),
})
export const ready = z.strictObject({
  status: z.literal('ready').meta({ description: 'it takes requests' }),
  time: time('now'),
  uptime_sec: z.number().min(0).meta({ description: 'seconds since the start of the process' }),
})
export const notReady = z.strictObject({
  reason: text('why', 'shutting down'),
  status: z.literal('not_ready').meta({ description: 'it takes none' }),
  time: time('now'),
})

export const error = z
  .strictObject({
    error: text('what went wrong', 'Backup not found'),
    success: z.literal(false).meta({ description: 'only where the token is the reason' }).optional(),
    detail: text('more about it').optional(),
    unknown_databases: z.array(z.string()).meta({ description: 'names in the request that are not known' }).optional(),
    changed: z.array(z.string()).meta({ description: 'only of PLAN_CHANGED: what is not as the plan said' }).optional(),
    held_by: z
      .strictObject({
        host: text('its host', 'backup-1'),
        operation: text('what it does', 'backup'),
        since: time('since when'),
      })
      .meta({
        description: 'who writes there, as far as that is known: this service, another process, or another host',
      })
      .optional(),
    operation: text('only of BUSY: what runs', 'backup').optional(),
    status: runs.meta({ description: 'only of BUSY' }).optional(),
    code,
    hint: text('what to do about it').optional(),
    request_id: z.uuid().meta({ description: 'the log has more under this id; also in the header X-Request-Id' }),
  })
  .meta({ id: 'Error', description: "Arc's `error`, and what is known beside it." })

export const finding = z
  .strictObject({
    flaw: z.enum(['damaged', 'missing', 'unexpected']).meta({ description: 'what is wrong with it' }),
    path: text("relative to the backup's folder"),
    code,
    message: why,
  })
  .meta({ id: 'Finding', description: 'What a verify found; a line of JSON each.' })

export const description = z.looseObject({ openapi: text('version of OpenAPI', '3.1.0') })

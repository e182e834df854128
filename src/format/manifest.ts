import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ServiceError } from '../errors.js'
import { isBackupId } from './backup-id.js'

/** Bytes. A manifest has a line for each measurement, none for files; what is larger is no manifest, and is not read into memory. */
const largestManifest = 64 << 20
/** Entries of `skipped_sample` that are written. */
const sampleSize = 32
/** What a time that was never set is in Go. */
const zeroTime = '0001-01-01T00:00:00Z'

/** Go leaves out what is zero, and takes `null` for it; it writes an empty list as `null`. */
const orZero = <T extends z.ZodType, Z>(item: T, zero: Z) => item.nullish().transform((value) => value ?? zero)
const count = orZero(z.number().int().min(0), 0)
const text = orZero(z.string(), '')
const flag = orZero(z.boolean(), false)
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((value) => value ?? [])

const measurement = z.object({ name: text, file_count: count, size_bytes: count })

const schema = z.object({
  version: text,
  backup_id: z.string().refine(isBackupId, 'expected backup-YYYYMMDD-HHMMSS-<8 hex digits>'),
  created_at: orZero(z.iso.datetime({ offset: true }), zeroTime),
  backup_type: text,
  databases: list(z.object({ name: text, measurements: list(measurement), file_count: count, size_bytes: count })),
  /** Parquet files that are in the backup, and their bytes. */
  total_files: count,
  total_size_bytes: count,
  skipped_files: count,
  has_metadata: flag,
  has_iceberg_catalog: flag,
  has_config: flag,
  /** Paths of some of the skipped files. */
  skipped_sample: list(z.string()),
  /** Only in Arc's own: files that its backup lacks, counted apart from `skipped_files`. */
  skipped_metadata_files: count.optional(),
  skipped_overlong_keys: count.optional(),
  unaddressable_files: count.optional(),
  /** Schema anchors among `total_files`. */
  auxiliary_files: count,
  compaction_state_files: count,
  /** Ours: how the backup followed a source that Arc went on merging; see `SettledStatus` of the engine. */
  settled_passes: count.optional(),
  replaced_files: count.optional(),
  /** Ours, and Arc's in the status of a restore: files left out because a merged one stands for them. */
  consumed_inputs_skipped: count.optional(),
  /** Ours: files (and their bytes) that an earlier backup had, and that were not read again. */
  reused_files: count.optional(),
  reused_bytes: count.optional(),
  /** The databases that were asked for; empty for all. */
  scope: list(z.string()),
  /** Ours: what the operator should know of this backup. */
  warnings: list(z.string()),
  /** Ours: SQLite files in `metadata/`, without `.db`. */
  metadata_files: list(z.string()),
  /** Ours: the sidecar that this manifest vouches for. */
  sidecar: z
    .object({ path: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/), entries: z.number().int().min(0) })
    .optional(),
})

/** `manifest.json`: Arc's keys, the later ones of its dialects, and ours. */
export type Manifest = z.output<typeof schema>

/**
 * Reads a manifest of any of Arc's dialects or of ours: unknown keys are ignored, missing ones are zero. One that carries a checksum must match it; one that
 * names a sidecar is ours and must have a checksum.
 *
 * @throws MANIFEST_INVALID
 */
export function readManifest(content: Buffer | string): Manifest {
  if (content.length > largestManifest) {
    throw invalid(`it has more than the ${largestManifest} bytes that a manifest may have`)
  }
  const source = content.toString()
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch (error) {
    throw invalid('it is not JSON', error)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'as a whole'}: ${message}`)
    throw invalid(issues.slice(0, 5).join('; '))
  }
  verifyChecksum(source, value as Record<string, unknown>)
  return parsed.data
}

/**
 * The text of a manifest: Arc's keys in Arc's order, then the later and our own ones where they say something, two spaces of indentation. Last comes
 * `checksum`: the SHA-256 (lower-case hex) of the same text without that key, so `jq -j 'del(.checksum)' manifest.json | sha256sum` gives it too.
 */
export function serializeManifest(manifest: Manifest): string {
  const body = toClientJson(manifest)
  return JSON.stringify({ ...body, checksum: checksumOf(body) }, null, 2)
}

/** A manifest as the API shows it: as it is in its file, but for the checksum of that file. */
export function toClientJson(manifest: Manifest): Record<string, unknown> {
  const { has_metadata, has_iceberg_catalog, has_config } = manifest
  return {
    version: manifest.version,
    backup_id: manifest.backup_id,
    created_at: manifest.created_at,
    backup_type: manifest.backup_type,
    databases: manifest.databases.length === 0 ? null : manifest.databases,
    total_files: manifest.total_files,
    total_size_bytes: manifest.total_size_bytes,
    ...unlessZero({ skipped_files: manifest.skipped_files }),
    has_metadata,
    ...(has_iceberg_catalog && { has_iceberg_catalog }),
    has_config,
    ...unlessZero({
      skipped_sample: manifest.skipped_sample.slice(0, sampleSize),
      ...arcsCounts(manifest),
      auxiliary_files: manifest.auxiliary_files,
      compaction_state_files: manifest.compaction_state_files,
      settled_passes: manifest.settled_passes,
      replaced_files: manifest.replaced_files,
      consumed_inputs_skipped: manifest.consumed_inputs_skipped,
      reused_files: manifest.reused_files,
      reused_bytes: manifest.reused_bytes,
      scope: manifest.scope,
      warnings: manifest.warnings,
      metadata_files: manifest.metadata_files,
    }),
    ...(manifest.sidecar && { sidecar: manifest.sidecar }),
  }
}

/** A manifest's line in the list of backups. */
export function summarize(manifest: Manifest): Record<string, unknown> {
  const { backup_id, created_at, backup_type, total_files, total_size_bytes } = manifest
  return {
    backup_id,
    created_at,
    backup_type,
    total_files,
    total_size_bytes,
    database_count: manifest.databases.length,
    ...unlessZero({
      skipped_files: manifest.skipped_files,
      ...arcsCounts(manifest),
      scope: manifest.scope,
      reused_files: manifest.reused_files,
      reused_bytes: manifest.reused_bytes,
    }),
  }
}

function arcsCounts({ skipped_metadata_files, skipped_overlong_keys, unaddressable_files }: Manifest) {
  return { skipped_metadata_files, skipped_overlong_keys, unaddressable_files }
}

function unlessZero(values: Record<string, number | readonly unknown[] | undefined>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : (value ?? 0) !== 0)),
  )
}

function checksumOf(body: Record<string, unknown>): string {
  try {
    const text = JSON.stringify(body, null, 2)
    return createHash('sha256').update(text).digest('hex')
  } catch (error) {
    // JSON can be read at any depth, but not written.
    throw invalid('it is nested too deeply', error)
  }
}

function verifyChecksum(source: string, value: Record<string, unknown>): void {
  const { checksum, ...body } = value
  if (checksum === undefined) {
    if (value.sidecar === undefined) return
    throw invalid('it names a sidecar and has no checksum: it was damaged or edited')
  }
  // The bytes themselves are checked, not what they parse to: a repeated key is damage too. Only white space around the text may differ.
  if (checksum === checksumOf(body) && source.trim() === JSON.stringify({ ...body, checksum }, null, 2)) return
  throw invalid('it does not match its own checksum: it was damaged or edited')
}

function invalid(why: string, cause?: unknown): ServiceError {
  return new ServiceError('MANIFEST_INVALID', `the manifest can't be used: ${why}`, { cause })
}

/** Sorts backups by the time in their manifests; those of one instant by their ids, so that there is one order. */
export function newestFirst(a: Manifest, b: Manifest): number {
  return Date.parse(b.created_at) - Date.parse(a.created_at) || (a.backup_id < b.backup_id ? 1 : -1)
}

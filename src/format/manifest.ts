import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ServiceError } from '../errors.js'

const count = z.number().int().min(0)
/** Go writes an empty list as `null`, and leaves out what is zero. */
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((value) => value ?? [])

const measurement = z.object({ name: z.string(), file_count: count.default(0), size_bytes: count.default(0) })

const schema = z.object({
  version: z.string().default(''),
  backup_id: z.string(),
  created_at: z.string(),
  backup_type: z.string().default('full'),
  databases: list(
    z.object({
      name: z.string(),
      measurements: list(measurement),
      file_count: count.default(0),
      size_bytes: count.default(0),
    }),
  ),
  /** Parquet files that are in the backup, and their bytes. */
  total_files: count.default(0),
  total_size_bytes: count.default(0),
  skipped_files: count.default(0),
  /** Paths of some of them. */
  skipped_sample: list(z.string()),
  /** Schema anchors among `total_files`. */
  auxiliary_files: count.default(0),
  compaction_state_files: count.default(0),
  /** The databases that were asked for; empty for all. */
  scope: list(z.string()),
  has_metadata: z.boolean().default(false),
  has_iceberg_catalog: z.boolean().default(false),
  has_config: z.boolean().default(false),
  /** Ours: SQLite files in `metadata/`, without `.db`. */
  metadata_files: list(z.string()),
  /** Ours: what the operator should know of this backup. */
  warnings: list(z.string()),
  /** Ours: the sidecar that this manifest vouches for. */
  sidecar: z.object({ path: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/), entries: count }).optional(),
})

/** `manifest.json`: Arc's keys, the later ones of its dialects, and ours. */
export type Manifest = z.output<typeof schema>

/**
 * Reads a manifest of any of Arc's dialects or of ours: unknown keys are ignored, missing ones are zero. One that carries a checksum must match it.
 *
 * @throws MANIFEST_INVALID
 */
export function readManifest(content: Buffer | string): Manifest {
  const text = content.toString()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ServiceError('MANIFEST_INVALID', 'the manifest is not JSON', { cause: error })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`)
    throw new ServiceError('MANIFEST_INVALID', `the manifest is not one of Arc's: ${issues.slice(0, 5).join('; ')}`)
  }
  verifyChecksum(text, value as Record<string, unknown>)
  return parsed.data
}

/** The text of a manifest: Arc's order of keys and indentation, later keys left out where they say nothing, our checksum last. */
export function serializeManifest(manifest: Manifest): string {
  const body = toJson(manifest)
  return JSON.stringify({ ...body, checksum: checksumOf(JSON.stringify(body, null, 2)) }, null, 2)
}

/** A manifest as the API shows it. */
export function toClientJson(manifest: Manifest): Record<string, unknown> {
  return toJson(manifest)
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
    ...nonEmpty({ skipped_files: manifest.skipped_files, scope: manifest.scope }),
  }
}

function toJson(manifest: Manifest): Record<string, unknown> {
  const { has_metadata, has_iceberg_catalog, has_config } = manifest
  return {
    version: manifest.version,
    backup_id: manifest.backup_id,
    created_at: manifest.created_at,
    backup_type: manifest.backup_type,
    databases: manifest.databases.length === 0 ? null : manifest.databases,
    total_files: manifest.total_files,
    total_size_bytes: manifest.total_size_bytes,
    ...nonEmpty({
      skipped_files: manifest.skipped_files,
      skipped_sample: manifest.skipped_sample,
      auxiliary_files: manifest.auxiliary_files,
      compaction_state_files: manifest.compaction_state_files,
      scope: manifest.scope,
    }),
    has_metadata,
    ...(has_iceberg_catalog && { has_iceberg_catalog }),
    has_config,
    ...nonEmpty({ metadata_files: manifest.metadata_files, warnings: manifest.warnings }),
    ...(manifest.sidecar && { sidecar: manifest.sidecar }),
  }
}

function nonEmpty(values: Record<string, number | readonly unknown[]>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => (typeof value === 'number' ? value !== 0 : value.length > 0)),
  )
}

/** SHA-256 of the manifest's text as it is without the key `checksum`, which is the last one. */
function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function verifyChecksum(text: string, value: Record<string, unknown>): void {
  if (value.checksum === undefined) return
  const { checksum, ...rest } = value
  // The bytes themselves are checked, not what they parse to: white space or a repeated key is damage too.
  const expected = JSON.stringify({ ...rest, checksum }, null, 2)
  if (text === expected && checksum === checksumOf(JSON.stringify(rest, null, 2))) return
  throw new ServiceError('MANIFEST_INVALID', 'the manifest does not match its own checksum: it was damaged or edited')
}

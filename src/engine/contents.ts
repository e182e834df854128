import { createHash } from 'node:crypto'
import { isServiceError, ServiceError } from '../errors.js'
import { assertSafePath, classify, databaseOf } from '../format/data-path.js'
import { backupPaths } from '../format/layout.js'
import type { Manifest } from '../format/manifest.js'
import { parseSidecar, type SidecarEntry } from '../format/sidecar.js'
import { type BatchFile, packBatches } from './batch.js'
import { excludeFrom } from './list-source.js'
import { MeasurementCounts } from './measurement-counts.js'
import type { Gap, RestoreRequest } from './operation.js'
import { Inspection } from './precheck.js'
import type { Run } from './run.js'
import { allocated, type Need } from './space.js'
import { sampleSize } from './tracker.js'
import { persist } from './write-text.js'

const batchSize = 256

/** A file of a backup that is no data: its place there, and what is on record of it. */
export interface Part {
  /** Path inside the backup. */
  readonly path: string
  readonly size?: number
  readonly sha256?: string
}

/** What a manifest counts and its backup does not have. */
export interface Lacking {
  readonly files: number
  readonly sample: readonly Gap[]
}

/** What a backup holds of what was asked for; its data files are in the inventory. */
export interface Contents {
  /** Is a SHA-256 on record for every file? */
  readonly verified: boolean
  readonly databases: ReadonlySet<string>
  readonly missing: Lacking
  readonly parts: readonly Part[]
  /** Room that its data files take. */
  readonly need: Need & { readonly largest: number }
}

/** Reads the list of a backup's files into the inventory, from its sidecar or, for one that Arc wrote, from its folder. */
export async function readContents(run: Run, manifest: Manifest, request: RestoreRequest): Promise<Contents> {
  const intake = new Intake(run, request)
  const contents = manifest.sidecar
    ? await readSidecar(run, manifest.sidecar, intake)
    : await readFolder(run, manifest, intake)
  await intake.flush()
  await intake.inspection.finish()
  run.tracker.totalsKnown = true
  if (intake.leftOut > 0) {
    run.tracker.warn(
      `${intake.leftOut} files of the backup are left out: here, their places belong to the backup service or to Arc itself`,
    )
  }
  return {
    ...contents,
    databases: intake.databases,
    need: intake.need,
  }
}

async function readSidecar(
  run: Run,
  record: { path: string; sha256: string; entries: number },
  intake: Intake,
): Promise<Omit<Contents, 'databases' | 'need'>> {
  const hash = createHash('sha256')
  const parts: Part[] = []
  let entries = 0
  const path = `${run.backupId}/${backupPaths.sidecar}`
  const damaged = (why: string): ServiceError =>
    new ServiceError('MANIFEST_INVALID', `cannot restore from ${path} at ${run.target.url}: ${why}`)
  const source = await persist(run.target, () => run.target.read(path)).catch((error: unknown) => {
    throw isServiceError(error, 'STORE_NOT_FOUND') ? damaged('the file is missing') : error
  })
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      hash.update(chunk as Buffer)
      yield chunk as Buffer
    }
  }
  for await (const batch of parseSidecar(hashed())) {
    run.progress.check()
    entries += batch.length
    for (const entry of batch) take(entry, intake, parts)
    await intake.flushFull()
  }
  const found = hash.digest('hex')
  if (found !== record.sha256) throw damaged(`its SHA-256 is ${found}, the manifest says ${record.sha256}`)
  if (entries !== record.entries) throw damaged(`it has ${entries} entries, the manifest says ${record.entries}`)
  return { verified: true, missing: nothing, parts }
}

function take(entry: SidecarEntry, intake: Intake, parts: Part[]): void {
  const { path, size_bytes: size, sha256, source_etag: etag } = entry
  const mtimeNs = BigInt(entry.source_mtime_ns ?? 0)
  const known = { size, sha256, mtimeNs, ...(etag !== undefined && { etag }) }
  if (entry.list === 'files') intake.add({ path, ...known })
  else if (path.startsWith(backupPaths.data)) {
    intake.add({ path: path.slice(backupPaths.data.length), ...known })
  } else parts.push({ path, size, sha256 })
}

/** A backup without sidecar: nothing is known of its files but what their folder shows and what the manifest counts. */
async function readFolder(run: Run, manifest: Manifest, intake: Intake): Promise<Omit<Contents, 'databases' | 'need'>> {
  const parts: Part[] = []
  const found = new MeasurementCounts()
  for await (const file of run.target.list(run.backupId)) {
    run.progress.check()
    const path = file.path.slice(run.backupId.length + 1)
    if (path.startsWith('metadata/') || path.startsWith('config/')) parts.push({ path })
    if (!path.startsWith(backupPaths.data)) continue
    const name = path.slice(backupPaths.data.length)
    if (classify(name) === 'excluded') continue
    assertSafePath(name)
    intake.add({ path: name, size: file.size, mtimeNs: file.mtimeNs })
    await intake.flushFull()
    found.add(name, file.size)
  }
  return { verified: false, missing: intake.restoresData ? compareCounts(manifest, found, intake) : nothing, parts }
}

const nothing: Lacking = { files: 0, sample: [] }

function compareCounts(manifest: Manifest, found: MeasurementCounts, intake: Intake): Lacking {
  // Arc counts the files that it skipped too: with skipped files its counts are no measure of what is there.
  if ((manifest.skipped_files ?? 0) > 0) return nothing
  const mismatches = found.compare(manifest, (database) => intake.wants(database))
  return {
    files: mismatches.reduce((total, { surplus }) => total + Math.max(1, -surplus), 0),
    sample: mismatches.slice(0, sampleSize).map(({ path, message }) => ({ path, code: 'INTEGRITY', message })),
  }
}

/** Puts what was asked for into the inventory, in batches. */
class Intake {
  readonly databases = new Set<string>()
  readonly restoresData: boolean
  readonly inspection: Inspection
  leftOut = 0
  readonly #run: Run
  readonly #scope: ReadonlySet<string> | null
  readonly #excluded: (path: string) => boolean
  #files: BatchFile[] = []
  #allocated = 0
  #largest = 0

  constructor(run: Run, request: RestoreRequest) {
    this.#run = run
    this.inspection = new Inspection(run)
    this.restoresData = request.restoreData
    this.#scope = request.databases ? new Set(request.databases) : null
    this.#excluded = excludeFrom(run.settings)
  }

  get need(): Need & { readonly largest: number } {
    return { bytes: this.#allocated, files: this.#run.tracker.totalFiles, largest: this.#largest }
  }

  wants(database: string): boolean {
    return this.#scope === null || this.#scope.has(database)
  }

  add(file: BatchFile): void {
    const database = databaseOf(file.path)
    if (!this.restoresData || !this.wants(database)) return
    if (this.#isOurs(file.path)) {
      this.leftOut += 1
      return
    }
    this.databases.add(database)
    this.#files.push(file)
    this.#run.tracker.totalFiles += 1
    this.#run.tracker.totalBytes += file.size
    this.#allocated += allocated(file.size)
    this.#largest = Math.max(this.#largest, file.size)
  }

  /** Passes on what is enough for a task. */
  async flushFull(): Promise<void> {
    if (this.#files.length >= batchSize) await this.flush()
  }

  async flush(): Promise<void> {
    const files = this.#files
    this.#files = []
    for (const batch of packBatches(files)) {
      this.#run.inventory.add(batch)
      await this.inspection.add(batch)
    }
  }

  /** Would this file land in a folder that Arc or we keep inside the storage root? */
  #isOurs(path: string): boolean {
    if (this.#excluded(path)) return true
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (this.#excluded(path.slice(0, slash + 1))) return true
    }
    return false
  }
}

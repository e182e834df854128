import { createReadStream } from 'node:fs'
import { isServiceError, ServiceError } from '../errors.js'
import { assertSafePath, classify, databaseOf } from '../format/data-path.js'
import { backupPaths } from '../format/layout.js'
import type { Manifest } from '../format/manifest.js'
import { parseSidecar } from '../format/sidecar.js'
import type { BatchFile } from './batch.js'
import { fetchList, partsOf } from './fetched-list.js'
import { runLanes } from './lanes.js'
import { excludedInside } from './list-source.js'
import { MeasurementCounts } from './measurement-counts.js'
import type { Gap, RestoreRequest } from './operation.js'
import { Inspection } from './precheck.js'
import type { Run } from './run.js'
import { type Part, type Rules, type Selected, type Selection, select, selectFrom } from './selection.js'
import type { Need } from './space.js'
import { sampleSize } from './tracker.js'

const batchSize = 256

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
  refuseLacking(run, manifest, request, contents.parts)
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
  const path = `${run.backupId}/${backupPaths.sidecar}`
  const damaged = (why: string): ServiceError =>
    new ServiceError('MANIFEST_INVALID', `cannot restore from ${path} at ${run.target.url}: ${why}`)
  const list = await fetchList(run, run.backupId, record.sha256, 'list').catch((error: unknown) => {
    if (isServiceError(error, 'STORE_NOT_FOUND')) throw damaged('the file is missing')
    if (!isServiceError(error, 'INTEGRITY')) throw error
    throw damaged(`its SHA-256 is ${error.detail.found}, the manifest says ${record.sha256}`)
  })
  const parts: Part[] = []
  let entries = 0
  const take = async (read: Selected): Promise<void> => {
    run.progress.check()
    entries += read.entries
    parts.push(...read.parts)
    await intake.take(read.selection)
  }
  const { rules } = intake
  const { file, size } = list
  await runLanes(run.pool.workers, partsOf(size), async (part) => {
    await take(await run.pool.select({ kind: 'select', file, ...part, rules }))
  })
  // The same list in another writer's hand, without a line for each entry.
  if (entries === 0) {
    for await (const batch of parseSidecar(createReadStream(file))) await take(selectFrom(batch, rules))
  }
  if (entries !== record.entries) throw damaged(`it has ${entries} entries, the manifest says ${record.entries}`)
  return { verified: true, missing: nothing, parts }
}

/** A backup without sidecar: nothing is known of its files but what their folder shows and what the manifest counts. */
async function readFolder(run: Run, manifest: Manifest, intake: Intake): Promise<Omit<Contents, 'databases' | 'need'>> {
  const parts: Part[] = []
  const found = new MeasurementCounts()
  let files: BatchFile[] = []
  for await (const file of run.target.list(run.backupId)) {
    run.progress.check()
    const path = file.path.slice(run.backupId.length + 1)
    if (path.startsWith('metadata/') || path.startsWith('config/')) parts.push({ path })
    if (!path.startsWith(backupPaths.data)) continue
    const name = path.slice(backupPaths.data.length)
    found.add(name, file.size)
    if (classify(name) === 'excluded') {
      intake.leaveOut(name)
      continue
    }
    assertSafePath(name)
    files.push({ path: name, size: file.size, mtimeNs: file.mtimeNs })
    if (files.length < batchSize) continue
    await intake.take(select(files, intake.rules))
    files = []
  }
  await intake.take(select(files, intake.rules))
  return { verified: false, missing: intake.rules.data ? compareCounts(manifest, found, intake) : nothing, parts }
}

/**
 * What the manifest says is there beside the data. Of one with a sidecar each part is proven when it is fetched.
 *
 * @throws INTEGRITY before anything has changed
 */
function refuseLacking(run: Run, manifest: Manifest, request: RestoreRequest, parts: readonly Part[]): void {
  const { restoreMetadata, restoreConfig } = request
  for (const [path, isExpected, field] of [
    [backupPaths.metadata('arc'), restoreMetadata && manifest.has_metadata, 'restore_metadata'],
    [backupPaths.metadata('iceberg-catalog'), restoreMetadata && manifest.has_iceberg_catalog, 'restore_metadata'],
    [backupPaths.config, restoreConfig && manifest.has_config, 'restore_config'],
  ] as const) {
    if (!isExpected || parts.some((part) => part.path === path)) continue
    const message = `${run.backupId} lacks ${path}, which its manifest says it has; ${field}: false restores the rest`
    throw new ServiceError('INTEGRITY', message, { path })
  }
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

/** Puts what was asked for into the inventory. */
class Intake {
  readonly databases = new Set<string>()
  readonly rules: Rules
  readonly inspection: Inspection
  leftOut = 0
  readonly #run: Run
  #allocated = 0
  #largest = 0

  constructor(run: Run, { restoreData, databases }: RestoreRequest) {
    this.#run = run
    this.inspection = new Inspection(run)
    this.rules = { data: restoreData, excluded: [...excludedInside(run.settings)], ...(databases && { databases }) }
  }

  get need(): Need & { readonly largest: number } {
    return { bytes: this.#allocated, files: this.#run.tracker.totalFiles, largest: this.#largest }
  }

  wants(database: string): boolean {
    return this.rules.databases?.includes(database) ?? true
  }

  /** A file that Arc took into a backup of its own although it keeps such for itself. */
  leaveOut(name: string): void {
    if (this.rules.data && name.endsWith('.parquet') && this.wants(databaseOf(name))) this.leftOut += 1
  }

  async take(selection: Selection): Promise<void> {
    const { tracker, inventory } = this.#run
    for (const database of selection.databases) this.databases.add(database)
    this.leftOut += selection.leftOut
    tracker.totalFiles += selection.files
    tracker.totalBytes += selection.bytes
    this.#allocated += selection.allocated
    this.#largest = Math.max(this.#largest, selection.largest)
    for (const batch of selection.batches) {
      inventory.add(batch)
      await this.inspection.add(batch)
    }
  }
}

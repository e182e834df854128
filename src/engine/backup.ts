import { isServiceError, ServiceError } from '../errors.js'
import { formatTime } from '../format/backup-id.js'
import { backupPaths } from '../format/layout.js'
import type { Manifest } from '../format/manifest.js'
import { Basis } from './basis.js'
import { type Batch, packBatches } from './batch.js'
import { type CapturedFile, captureConfiguration, captureDatabases } from './capture.js'
import { Census } from './census.js'
import { completeListing, Listing } from './chunks.js'
import { abandon, commit, endCommitted, findCommitted } from './commit.js'
import { type CopyPlan, copyFiles } from './copy-files.js'
import { Earlier } from './earlier.js'
import { staysInterrupted } from './execution.js'
import { listSource } from './list-source.js'
import { markBackup, unmarkBackup } from './mark.js'
import type { BackupRequest } from './operation.js'
import { type Run, storeNames } from './run.js'
import { settlePartitions } from './settle.js'
import { backupShares } from './sharing.js'
import { writeSidecar } from './sidecar.js'
import { checkSource } from './source-root.js'
import type { Need } from './space.js'
import { sampleSize } from './tracker.js'
import { WriteBack } from './write-back.js'

/** Failures looked at again at once. */
const perPage = 256

/**
 * A backup, as a list of steps. `manifest.json` comes last and by create-if-absent: its appearance is the commit, and a folder without one is not a
 * backup. On any failure nothing stays at the target.
 */
export async function runBackup(run: Run, request: BackupRequest): Promise<'completed' | 'gaps'> {
  const committed = run.resumed && (await findCommitted(run))
  if (committed) return endCommitted(run, committed)
  let manifest: Manifest
  try {
    const census = new Census()
    const writeBack = new WriteBack(run.target, run.backupId)
    await markBackup(run, 'backup')
    await copyAll(run, request, census, writeBack)
    forgetVanished(run)
    judgeGaps(run)
    run.tracker.enter('metadata')
    const captured: CapturedFile[] = []
    if (request.includeMetadata) captured.push(...(await captureDatabases(run)))
    if (request.includeConfig) captured.push(...(await captureConfiguration(run)))
    run.progress.check()
    run.tracker.enter('sealing')
    manifest = await seal(run, request, census, captured, writeBack)
  } catch (error) {
    if (!isServiceError(error, 'INTERRUPTED') || !staysInterrupted(run)) await abandon(run, error)
    throw error
  }
  await commit(run, manifest)
  await unmarkBackup(run)
  return run.tracker.skippedFiles > 0 ? 'gaps' : 'completed'
}

/** All data files, as they were at one instant in each partition. */
async function copyAll(run: Run, request: BackupRequest, census: Census, writeBack: WriteBack): Promise<void> {
  // The source is listed while it is looked for.
  const finding = request.incremental ? Basis.open(run, request.databases) : Promise.resolve(null)
  const plan = dataPlan(run, census, writeBack)
  const opened = Promise.all([finding, backupShares(run)]).then(([basis, share]) => ({
    ...plan,
    ...(basis && { basis }),
    ...(share && { share: true as const }),
  }))
  opened.catch(() => {})
  try {
    await copyData(run, request, census, opened)
    writeBack.begin(run.progress.read('bytes'))
    await checkSource(run)
    const more = async (after: number): Promise<void> => copyFiles(run, completeListing(), await opened, after)
    await lookAgain(run, more)
    await settlePartitions(run, request.databases, census, more)
  } finally {
    const basis = await finding.catch(() => null)
    basis?.close()
  }
}

/** Lists the source and copies what is listed so far, both at once. */
async function copyData(run: Run, request: BackupRequest, census: Census, plan: Promise<CopyPlan>): Promise<void> {
  run.tracker.enter('listing')
  for (const sentence of run.settings.uncovered) run.tracker.warn(sentence)
  const earlier = await Earlier.open(run, census)
  const listing = new Listing()
  const admit = earlier && ((batch: Batch) => earlier.admit(batch))
  const spared = plan.then(savingOf)
  spared.catch(() => {})
  const listed = listSource(run, listing, request.databases, admit, spared).then(async () => {
    if (run.tracker.totalsKnown) await earlier?.end()
    run.tracker.enter('copying')
  })
  try {
    await copyFiles(run, listing, await plan)
  } finally {
    await listed
  }
}

/** What need not find room. Where a full disk does not let that come true, writing says so. */
function savingOf({ share, basis }: CopyPlan): Need {
  if (share) return { bytes: Number.POSITIVE_INFINITY, files: 0 }
  return basis?.saving ?? { bytes: 0, files: 0 }
}

function dataPlan(run: Run, census: Census, writeBack: WriteBack): CopyPlan {
  return {
    from: storeNames.storage,
    to: run.targetStore,
    fromPrefix: '',
    toPrefix: `${run.backupId}/${backupPaths.data}`,
    live: true,
    direct: true,
    report: true,
    onReport: (report) => {
      census.add(report)
      writeBack.written(run.progress.read('bytes') - run.progress.read('reusedBytes'))
    },
  }
}

/** Arc deletes and compacts files while we copy. A file that vanished and is gone on a second look is no gap; one that failed is tried once more. */
async function lookAgain(run: Run, copyMore: (after: number) => Promise<void>): Promise<void> {
  if (run.inventory.countFailed() === 0) return
  let last = 0
  const firstAgain = run.inventory.lastBatch()
  for (let page = run.inventory.failures(perPage); page.length > 0; page = run.inventory.failures(perPage, last)) {
    for (const batch of packBatches(page)) run.inventory.add(batch)
    last = page.at(-1)?.id ?? last
  }
  run.inventory.forgetFailures(last)
  await copyMore(firstAgain)
}

/** What is gone from the source is none of the backup's files. */
function forgetVanished({ inventory, tracker }: Run): void {
  const { files, bytes } = inventory.forgetVanished()
  tracker.totalFiles -= files
  tracker.totalBytes -= bytes
}

/** Arc's rule: more than `max_skipped` of the files unreadable means a degraded source, not a backup with a few gaps. */
function judgeGaps(run: Run): void {
  const skipped = run.inventory.countFailed()
  run.tracker.skippedFiles = skipped
  run.tracker.skippedSample = run.inventory
    .failures(sampleSize)
    .map(({ path, code, message }) => ({ path, code, message }))
  const moving = run.inventory.failureOf('SOURCE_CHANGED')
  if (moving) throw new ServiceError('SOURCE_CHANGED', `backup failed: ${moving.message}`)
  const total = run.tracker.totalFiles
  if (skipped <= run.settings.maxSkipped * total) return
  const limit = `${Math.round(run.settings.maxSkipped * 1000) / 10}%`
  throw new ServiceError(
    'STORE_IO',
    `backup failed: ${skipped} of ${total} files were unreadable (>${limit}), source storage may be degraded`,
  )
}

/** Sidecar, then everything durable; answers the manifest that may be written then. */
async function seal(
  run: Run,
  request: BackupRequest,
  census: Census,
  captured: readonly CapturedFile[],
  writeBack: WriteBack,
): Promise<Manifest> {
  const { tracker } = run
  const sidecar = await writeSidecar(run, captured, census.entries)
  await writeBack.finish()
  const manifest: Manifest = {
    version: run.settings.version,
    backup_id: run.backupId,
    created_at: formatTime(run.startedAt),
    backup_type: 'full',
    ...census.totals(),
    settled_passes: tracker.settled?.passes,
    replaced_files: tracker.settled?.replacedFiles,
    consumed_inputs_skipped: tracker.settled?.consumedInputs,
    reused_files: census.reusedFiles,
    reused_bytes: census.reusedBytes,
    skipped_files: tracker.skippedFiles,
    skipped_sample: tracker.skippedSample.map(({ path }) => path),
    has_metadata: captured.some(({ name }) => name === 'arc'),
    has_iceberg_catalog: captured.some(({ name }) => name === 'iceberg-catalog'),
    has_config: captured.some(({ kind }) => kind === 'config'),
    metadata_files: captured.filter(({ kind }) => kind === 'metadata').map(({ name }) => name),
    scope: [...(request.databases ?? [])],
    warnings: [...tracker.warnings],
    sidecar,
  }
  await run.confirmLocks()
  run.progress.check()
  return manifest
}

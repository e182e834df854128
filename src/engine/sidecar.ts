import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ServiceError } from '../errors.js'
import { databaseOf, measurementOf } from '../format/data-path.js'
import { backupPaths } from '../format/layout.js'
import { SidecarWriter } from '../format/sidecar.js'
import type { CapturedFile } from './capture.js'
import { copyScratch } from './copy-files.js'
import type { InventoryRow } from './inventory.js'
import { type Run, storeNames } from './run.js'

/** Streams `manifest-files.json` out of the inventory into the operation's folder, and copies it to its place like any file. */
export async function writeSidecar(
  run: Run,
  captured: readonly CapturedFile[],
): Promise<{ path: string; sha256: string; entries: number }> {
  const writer = new SidecarWriter()
  const file = createWriteStream(`${run.scratch.url}/${backupPaths.sidecar}`, { mode: 0o600 })
  const write = async (text: string): Promise<void> => {
    if (!file.write(text)) await once(file, 'drain')
    await nextTurn()
  }
  try {
    await write(writer.header())
    for (const page of run.inventory.pages('done', 'parquet')) {
      await write(page.map((row) => writer.file(fileEntry(row))).join(''))
    }
    let others = writer.startOther()
    for (const page of run.inventory.pages('done', 'auxiliary')) {
      await write(others + page.map((row) => writer.other(auxiliaryEntry(row))).join(''))
      others = ''
    }
    for (const { path, kind, sha256, size } of captured)
      others += writer.other({ path, kind, sha256, size_bytes: size })
    await write(others + writer.footer())
  } finally {
    file.end()
    await once(file, 'close')
  }
  const path = backupPaths.sidecar
  const { sha256 } = await copyScratch(run, path, { store: storeNames.target, path: `${run.backupId}/${path}` })
  return { path, sha256, entries: writer.entries }
}

function fileEntry(row: InventoryRow) {
  const { sha256, mtimeNs } = recorded(row)
  return {
    path: row.path,
    sha256,
    size_bytes: row.size,
    database: databaseOf(row.path),
    measurement: measurementOf(row.path),
    source_mtime_ns: mtimeNs,
  }
}

function auxiliaryEntry(row: InventoryRow) {
  const { sha256, mtimeNs } = recorded(row)
  return {
    path: `${backupPaths.data}${row.path}`,
    kind: 'auxiliary' as const,
    sha256,
    size_bytes: row.size,
    source_mtime_ns: mtimeNs,
  }
}

function recorded(row: InventoryRow): { sha256: string; mtimeNs: string } {
  if (row.sha256 === null || row.mtimeNs === null)
    throw new ServiceError('INTERNAL', `${row.path} is done without a hash on record`)
  return { sha256: row.sha256, mtimeNs: String(row.mtimeNs) }
}

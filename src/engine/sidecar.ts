import { open } from 'node:fs/promises'
import { backupPaths } from '../format/layout.js'
import { SidecarWriter } from '../format/sidecar.js'
import type { CapturedFile } from './capture.js'
import { copySingle } from './copy-files.js'
import { type Run, storeNames } from './run.js'

/** Streams `manifest-files.json` together from the lines that the threads wrote, and copies it to its place like any file. */
export async function writeSidecar(
  run: Run,
  captured: readonly CapturedFile[],
  entries: number,
): Promise<{ path: string; sha256: string; entries: number }> {
  const writer = new SidecarWriter()
  const file = await open(`${run.scratch.url}/${backupPaths.sidecar}`, 'w', 0o600)
  const write = (text: string): Promise<void> => file.appendFile(text)
  const writeAll = async (texts: Iterable<string>): Promise<void> => {
    let separator = ''
    for (const text of texts) {
      await write(separator + text)
      separator = ','
    }
  }
  let size: number
  try {
    await write(writer.header())
    await writeAll(run.inventory.lines('files'))
    await write(writer.startOther())
    const own = captured.map(({ path, kind, sha256, size }) => writer.other({ path, kind, sha256, size_bytes: size }))
    await writeAll(chain(run.inventory.lines('others'), own.join('')))
    await write(writer.footer())
    size = (await file.stat()).size
  } finally {
    await file.close()
  }
  const path = backupPaths.sidecar
  const { sha256 } = await copySingle(run, {
    from: storeNames.state,
    path: `${run.scratchFolder}/${path}`,
    to: run.targetStore,
    target: `${run.backupId}/${path}`,
    size,
  })
  return { path, sha256, entries: entries + captured.length }
}

function* chain(texts: Iterable<string>, last: string): Generator<string, void, undefined> {
  yield* texts
  if (last !== '') yield last
}

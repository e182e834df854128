import { setImmediate as nextTurn } from 'node:timers/promises'
import { isServiceError } from '../errors.js'
import { pathsOf } from './batch.js'
import type { Contents } from './contents.js'
import { walkSource } from './list-source.js'
import type { Owner } from './precheck.js'
import type { Run } from './run.js'
import { restoreShares } from './sharing.js'
import { allocated, checkSpace, type Need } from './space.js'

type Whole = Contents['need']

/**
 * Before anything is written: do the files find room beside those that they are to replace? Only where there is none for all of them it is asked how many have to be
 * written at all: those that have another size here, or are not here. One of the same size and other content may then find no room: it is staged before a live file changes.
 *
 * @throws STORE_FULL
 */
export async function checkRoom(
  run: Run,
  staging: 'all' | 'file',
  { need, databases }: Pick<Contents, 'need' | 'databases'>,
  owner: Owner | undefined,
): Promise<void> {
  const hint = '; `staging: "file"` needs room for one file at a time, but is not all-or-nothing'
  try {
    await checkSpace(run.storage, roomFor(staging, need))
  } catch (error) {
    if (!isServiceError(error, 'STORE_FULL')) throw error
    if (await restoreShares(run, owner)) return
    if (staging === 'file') throw error
    await checkSpace(run.storage, without(need, await sizeInPlace(run, databases)), hint)
  }
}

/** What must be free before the first file is written. */
export function roomFor(staging: 'all' | 'file', { bytes, files, largest }: Whole): Need {
  return staging === 'file' ? { bytes: largest, files: 1 } : { bytes, files }
}

/** @param inPlace files that lie in their places, by their sizes */
export function without(need: Need, inPlace: Need): Need {
  return { bytes: need.bytes - inPlace.bytes, files: need.files - inPlace.files }
}

/** Live files that have the size of the backup's; the inventory must have its index. */
async function sizeInPlace(run: Run, databases: ReadonlySet<string>): Promise<Need> {
  let [bytes, files] = [0, 0]
  await walkSource(run, [...databases], false, async (batch) => {
    run.progress.check()
    const expected = run.inventory.sizesOf(pathsOf(batch))
    for (const [index, size] of batch.sizes.entries()) {
      if (expected[index] !== size) continue
      bytes += allocated(size)
      files += 1
    }
    await nextTurn()
  })
  return { bytes, files }
}

import { closeSync } from 'node:fs'
import { tryShareBlocks } from './local-clone.js'
import { type LocalPath, openSource, openTarget } from './local-copy.js'
import { localFailure } from './local-failure.js'
import type { Placement } from './store.js'

/** Can a new file `spare` share the blocks of this one? It stays, empty or not. A source that can't be read answers no. */
export async function canShareBlocks(
  from: LocalPath,
  spare: LocalPath,
  options: Pick<Placement, 'owner'>,
): Promise<boolean> {
  const source = openQuietly(from)
  if (source === null) return false
  try {
    const target = openTarget(spare, spare.path, { ...options, share: true })
    try {
      return await tryShareBlocks(source, target)
    } catch (error) {
      throw localFailure(error, 'write', spare.path, spare.root)
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

function openQuietly(from: LocalPath): number | null {
  try {
    return openSource(from)
  } catch {
    // Who copies it says what is wrong with it.
    return null
  }
}

import { type BatchFile, packBatches, unpack } from '../../src/engine/batch.js'
import { placeOf } from '../sets.js'
import type { MakePart } from './part.js'

const files = 100_000

/** Files as batches for the threads, and back. */
export const chunking: MakePart = () => {
  const list = Array.from({ length: files }, (_, index): BatchFile => {
    const { folder, file } = placeOf(index)
    return { path: `${folder}/${file}`, size: 16 << 10, mtimeNs: 1_700_000_000_000_000_000n }
  })
  const batches = packBatches(list)
  return [
    { name: 'chunking, pack', files, run: () => void packBatches(list) },
    {
      name: 'chunking, unpack',
      files,
      run: () => {
        for (const batch of batches) unpack(batch)
      },
    },
  ]
}

import { rmSync } from 'node:fs'
import { packBatches } from '../../src/engine/batch.js'
import { Inventory } from '../../src/engine/inventory.js'
import { reportOn } from '../../src/engine/report.js'
import { placeOf } from '../sets.js'
import type { MakePart } from './part.js'

const files = 100_000

/** All that the main thread does with the inventory for files that are copied: put in, take out, put down what became of them. */
export const inventory: MakePart = (folder) => {
  const batches = packBatches(
    Array.from({ length: files }, (_, index) => {
      const { folder: at, file } = placeOf(index)
      return { path: `${at}/${file}`, size: 16 << 10, mtimeNs: 1_700_000_000_000_000_000n }
    }),
  )
  const lines = batches.map(({ paths }) => {
    const reporter = reportOn()
    for (const path of paths.split('\0'))
      reporter.add(path, { size: 16 << 10, sha256: 'a'.repeat(64), sourceMtimeNs: 1_700_000_000_000_000_000n })
    const { files, others } = reporter.end()
    return { files, others }
  })
  const file = `${folder}/inventory.db`
  const run = (): void => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
    const list = new Inventory(file)
    for (const batch of batches) list.add(batch)
    for (const batch of list.batches()) {
      const { files: text = '', others = '' } = lines[batch.id - 1] ?? {}
      list.record(batch, { done: new Uint8Array(batch.sizes.length).fill(1), failures: [], files: text, others })
    }
    list.close()
  }
  return [{ name: 'inventory', files, run }]
}

import { writeFileSync } from 'node:fs'
import t from 'tap'
import { pack } from '../../src/engine/batch.js'
import { bytesOnRecord } from '../../src/engine/bytes-on-record.js'
import { Inventory } from '../../src/engine/inventory.js'

function list(file: string, done: readonly number[]): void {
  const inventory = new Inventory(file)
  for (let batch = 0; batch < 1200; batch += 1) {
    inventory.add(pack([1, 2, 3].map((size) => ({ path: `${batch}/${size}`, size, mtimeNs: 0n }))))
  }
  for (const id of [1, 700, 1200]) {
    const stored = inventory.next(id - 1)
    if (!stored) throw new Error('there are too few')
    inventory.record(stored, { done: Uint8Array.from(done), failures: [], files: '', others: '' })
  }
  inventory.close()
}

t.test('what is on record as copied, in whichever list has more', async (t) => {
  const folder = t.testdir({})
  t.equal(await bytesOnRecord(folder), 0)
  list(`${folder}/inventory.db`, [1, 0, 1])
  t.equal(await bytesOnRecord(folder), 12)
  list(`${folder}/left-inventory.db`, [1, 1, 1])
  t.equal(await bytesOnRecord(folder), 18)
  for (const suffix of ['', '-wal', '-shm']) writeFileSync(`${folder}/left-inventory.db${suffix}`, 'no database at all')
  t.equal(await bytesOnRecord(folder), 12, 'one that a power cut has damaged counts for nothing')
})

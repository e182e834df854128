import { existsSync, mkdirSync } from 'node:fs'
import t from 'tap'
import { pack } from '../../src/engine/batch.js'
import type { Census } from '../../src/engine/census.js'
import { Earlier, inventoryFile, leftInventory } from '../../src/engine/earlier.js'
import { Inventory } from '../../src/engine/inventory.js'
import { openScene } from './scene.js'

const [batches, perBatch] = [64, 256]

t.test('a long list of what was copied is looked through, and nobody waits for that', async (t) => {
  const run = { ...openScene(t).open(), resumed: { sameBoot: true, switching: false } }
  const left = new Inventory(`${run.scratch.url}/${leftInventory}`)
  for (let batch = 0; batch < batches; batch++) {
    const paths = Array.from({ length: perBatch }, (_, index) => `db/m/2026/01/01/00/${batch}-${index}.parquet`)
    const entry = { sha256: 'a'.repeat(64), size_bytes: 1, source_mtime_ns: '1' }
    const files = paths.map((path) => JSON.stringify({ path, ...entry })).join(',')
    left.addDone(pack(paths.map((path) => ({ path, size: 1, mtimeNs: 1n }))), { files, others: '' })
  }
  left.close()
  mkdirSync(`${run.target.url}/${run.backupId}`)
  let turns = 0
  let next: NodeJS.Immediate
  const turn = (): void => {
    turns += 1
    next = setImmediate(turn)
  }
  next = setImmediate(turn)
  const earlier = await Earlier.open(run, {} as Census).finally(() => clearImmediate(next))
  t.ok(turns >= 2 * batches, `${turns} turns of the event loop`)
  t.notOk(existsSync(`${run.scratch.url}/${leftInventory}`))
  t.ok(existsSync(`${run.scratch.url}/${inventoryFile}`))
  const gone = pack([{ path: 'db/m/2026/01/01/00/0-0.parquet', size: 1, mtimeNs: 1n }])
  t.same(await earlier?.admit(gone), [gone], 'what the target does not have is copied again')
  await earlier?.end()
})

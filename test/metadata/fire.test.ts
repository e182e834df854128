import { statSync } from 'node:fs'
import t from 'tap'
import { restoreDatabase } from '../../src/metadata/restore-database.js'
import { snapshotDatabase } from '../../src/metadata/snapshot.js'
import { integrityOf, makeDatabase, Neighbour, rowsOf } from '../support/neighbour.js'

t.test('300 MiB with a writer every 10 ms and another that holds the lock', async (t) => {
  const dir = t.testdir()
  const live = makeDatabase(`${dir}/live`, [], { blobs: 78_000 })
  t.ok(statSync(live).size > 300 * 2 ** 20)
  const writer = new Neighbour(
    live,
    `const insert = db.prepare('INSERT INTO t VALUES (?)')
     const stats = db.prepare('SELECT count(*) AS rows, min(CAST(a AS INTEGER)) AS first, max(CAST(a AS INTEGER)) AS last FROM t')
     let lost = 0
     for (let number = 1; !over; number += 1) {
       insert.run(String(number))
       if (number === 50) say('going')
       const { rows, last } = stats.get()
       // Rows can only go missing by the restore: this same connection saw it.
       if (rows < number && lost === 0) { lost = number - rows; say('lost ' + lost + ' at ' + number) }
       await sleep(10)
     }`,
    '{ timeout: 600000 }',
  )
  t.teardown(() => writer.stop())
  await writer.hear('going')

  const from = `${dir}/snap`
  await snapshotDatabase({ path: live, to: from })
  t.equal(integrityOf(from), 'ok')
  const saved = rowsOf(from).map(Number)
  t.ok(saved.length >= 50, 'rows that were in the WAL are in the snapshot')
  t.same(
    saved,
    saved.map((_, index) => index + 1),
    'a prefix of what was written, without a hole',
  )

  const holder = new Neighbour(
    live,
    `db.exec('BEGIN IMMEDIATE'); say('held'); await sleep(4000); db.exec("INSERT INTO t VALUES ('holder')"); db.exec('COMMIT'); await ended`,
    '{ timeout: 600000 }',
  )
  t.teardown(() => holder.stop())
  await holder.hear('held')
  const { before } = await restoreDatabase({ from, to: live })
  await writer.hear('lost')
  await writer.stop()
  await holder.stop()

  t.equal(integrityOf(live), 'ok')
  t.equal(integrityOf(`${before}`), 'ok')
  const old = rowsOf(`${before}`)
  t.ok(old.includes('holder'), 'what was committed while the restore waited is in the old state')
  const replaced = old.filter((row) => row !== 'holder').map(Number)
  const restored = rowsOf(live).map(Number)
  t.same(restored.slice(0, saved.length), saved)
  const after = restored.slice(saved.length)
  t.ok(after.length > 0, 'the writer went on in the restored database')
  t.equal(after[0], (replaced.at(-1) ?? 0) + 1, 'no committed row is in neither')
})

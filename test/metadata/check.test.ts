import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { checkDatabase } from '../../src/metadata/check.js'
import { makeDatabase } from '../support/neighbour.js'

t.test('a sound database passes, in either journal mode, and nothing is left beside it', async (t) => {
  const dir = t.testdir()
  checkDatabase(makeDatabase(`${dir}/wal.db`, ['a']))
  checkDatabase(makeDatabase(`${dir}/delete.db`, ['a'], { mode: 'DELETE' }))
  t.same(readdirSync(dir).sort(), ['delete.db', 'wal.db'])
})

t.test('what is not a sound SQLite database is refused', async (t) => {
  const dir = t.testdir({
    empty: '',
    text: 'this is not a database, but it is long enough to have a header',
    short: 'SQLite',
  })
  for (const name of ['empty', 'text', 'short']) {
    t.throws(() => checkDatabase(`${dir}/${name}`), { code: 'SQLITE_INVALID', message: /is not a SQLite database/ })
  }
  t.throws(() => checkDatabase(`${dir}/none`), { code: 'STORE_NOT_FOUND' })

  const cut = makeDatabase(`${dir}/cut.db`, ['a'], { blobs: 100 })
  truncateSync(cut, 40_960)
  t.throws(() => checkDatabase(cut), { code: 'SQLITE_INVALID' })

  const damaged = makeDatabase(`${dir}/damaged.db`, ['a'], { blobs: 100 })
  writeFileSync(damaged, readFileSync(damaged).fill(0xff, 40_960, 45_056))
  t.throws(() => checkDatabase(damaged, '/live/arc.db'), { code: 'SQLITE_INVALID', message: /\/live\/arc\.db/ })
})

t.test('a thorough look compares indexes with their tables', async (t) => {
  const path = makeDatabase(`${t.testdir()}/arc.db`, ['a', 'b'])
  const db = new Database(path)
  db.unsafeMode()
  db.exec('CREATE TABLE u (a, b); CREATE INDEX i ON u (a); INSERT INTO u VALUES (1, 2), (3, 4)')
  db.pragma('writable_schema = ON')
  db.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON u (b)' WHERE name = 'i'")
  db.close()
  t.doesNotThrow(() => checkDatabase(path))
  t.throws(() => checkDatabase(path, 'arc.db', true), {
    code: 'SQLITE_INVALID',
    message: /arc\.db is damaged: .*index i/,
  })
})

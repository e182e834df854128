import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { ServiceError } from '../../src/errors.js'
import { snapshotDatabase } from '../../src/metadata/snapshot.js'
import { integrityOf, makeDatabase, Neighbour, rowsOf } from '../support/neighbour.js'

const arc = 'test/fixtures/arc-26.09.1/data/arc.db'

t.test("Arc's own arc.db", async (t) => {
  const dir = t.testdir()
  copyFileSync(arc, `${dir}/arc.db`)
  const { size } = await snapshotDatabase({ path: `${dir}/arc.db`, to: `${dir}/snap.db` })
  t.equal(size, statSync(`${dir}/snap.db`).size)
  t.same(readdirSync(dir).sort(), ['arc.db', 'snap.db'], 'nothing is left beside the source or the copy')
  t.ok(readFileSync(`${dir}/arc.db`).equals(readFileSync(arc)), 'the source is as it was')
  const tokens = (path: string) => new Database(path).prepare('SELECT * FROM api_tokens ORDER BY id').all()
  t.ok(tokens(`${dir}/snap.db`).length > 0)
  t.same(tokens(`${dir}/snap.db`), tokens(`${dir}/arc.db`))
})

t.test('rows that are in the WAL alone are in the copy, which is one private file from its first byte', async (t) => {
  const dir = t.testdir()
  const path = makeDatabase(`${dir}/arc.db`, ['a'])
  const other = new Neighbour(path, `db.exec("INSERT INTO t VALUES ('in the WAL')"); say('up'); await ended`)
  t.teardown(() => other.stop())
  await other.hear('up')
  const before = ['', '-wal'].map((end) => readFileSync(path + end))

  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const modes = new Set<number>()
  let over = false
  const look = () => {
    for (const end of ['', '-journal', '-wal']) {
      if (existsSync(`${dir}/snap.db${end}`)) modes.add(statSync(`${dir}/snap.db${end}`).mode & 0o777)
    }
    if (!over) setImmediate(look)
  }
  look()
  await snapshotDatabase({ path, to: `${dir}/snap.db` })
  over = true

  t.same([...modes], [0o600])
  t.same(rowsOf(`${dir}/snap.db`), ['a', 'in the WAL'])
  t.same(
    readdirSync(dir).filter((name) => name.startsWith('snap')),
    ['snap.db'],
  )
  t.same(
    ['', '-wal'].map((end) => readFileSync(path + end)),
    before,
    'the source is as it was',
  )
})

t.test('the WAL of a process that died is read and left alone', async (t) => {
  const dir = t.testdir()
  const live = makeDatabase(`${dir}/live.db`, ['a'])
  const other = new Neighbour(live, `db.exec("INSERT INTO t VALUES ('b')"); say('up'); await ended`)
  await other.hear('up')
  for (const end of ['', '-wal']) copyFileSync(live + end, `${dir}/dead.db${end}`)
  await other.stop()
  const before = ['', '-wal'].map((end) => readFileSync(`${dir}/dead.db${end}`))
  await snapshotDatabase({ path: `${dir}/dead.db`, to: `${dir}/snap.db` })
  t.same(
    ['', '-wal'].map((end) => readFileSync(`${dir}/dead.db${end}`)),
    before,
  )
  t.same(rowsOf(`${dir}/snap.db`), ['a', 'b'])
})

t.test('the locks that this process holds on the live file stay', async (t) => {
  const dir = t.testdir()
  const path = makeDatabase(`${dir}/arc.db`, ['a'])
  const auth = new Database(path)
  t.teardown(() => auth.close())
  auth.prepare('SELECT * FROM t').all()
  const locks = () => {
    const mine = new RegExp(` ${process.pid} \\S+:${statSync(path).ino} `)
    return readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .filter((line) => mine.test(line)).length
  }
  t.equal(locks(), 1)
  await snapshotDatabase({ path, to: `${dir}/snap.db` })
  t.equal(locks(), 1)
})

t.test('a source that is missing, empty, something else or damaged', async (t) => {
  const dir = t.testdir({ empty: '', text: 'x'.repeat(5000) })
  const damaged = makeDatabase(`${dir}/damaged`, ['a'], { blobs: 100 })
  writeFileSync(damaged, readFileSync(damaged).fill(0xff, 40_960, 45_056))
  const found = { none: 'STORE_NOT_FOUND', empty: 'SQLITE_INVALID', text: 'SQLITE_INVALID', damaged: 'SQLITE_INVALID' }
  for (const [name, code] of Object.entries(found)) {
    const path = `${dir}/${name}`
    await t.rejects(snapshotDatabase({ path, to: `${dir}/snap` }), { code, message: new RegExp(path) }, name)
  }
  t.same(
    readdirSync(dir).filter((name) => name.startsWith('snap')),
    [],
    'no part of a copy stays',
  )
})

t.test('a writer that shuts everyone out: wait for it, or say so', async (t) => {
  const dir = t.testdir()
  const path = makeDatabase(`${dir}/arc.db`, ['a'], { mode: 'DELETE' })
  const body = `db.exec("BEGIN EXCLUSIVE; INSERT INTO t VALUES ('b')"); say('held'); await ended; db.exec('COMMIT')`
  const other = new Neighbour(path, body)
  await other.hear('held')
  await t.rejects(snapshotDatabase({ path, to: `${dir}/snap`, deadlineMs: 200 }), { code: 'SQLITE_BUSY' })
  t.notOk(existsSync(`${dir}/snap`))
  const snapshot = snapshotDatabase({ path, to: `${dir}/snap` })
  await other.stop()
  await snapshot
  t.same(rowsOf(`${dir}/snap`), ['a', 'b'])
  t.equal(integrityOf(`${dir}/snap`), 'ok')
})

t.test('a snapshot can be ended between two steps, and leaves nothing', async (t) => {
  const dir = t.testdir()
  const path = makeDatabase(`${dir}/arc.db`, ['a'], { blobs: 20_000 })
  let steps = 0
  const check = (): void => {
    steps += 1
    if (steps === 3) throw new ServiceError('CANCELLED', 'enough')
  }
  await t.rejects(snapshotDatabase({ path, to: `${dir}/snap.db`, check }), { code: 'CANCELLED', message: /enough/ })
  t.same(readdirSync(dir), ['arc.db'])
})

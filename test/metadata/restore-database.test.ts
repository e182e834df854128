import { execFileSync } from 'node:child_process'
import {
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { restoreDatabase } from '../../src/metadata/restore-database.js'
import { snapshotDatabase } from '../../src/metadata/snapshot.js'
import { withSmallDisk } from '../support/mount.js'
import { integrityOf, makeDatabase, Neighbour, rowsOf } from '../support/neighbour.js'

const readRows = `db.prepare('SELECT a FROM t ORDER BY rowid').pluck().all().join()`
const damage = (path: string) => writeFileSync(path, readFileSync(path).fill(0xff, 40_960, 45_056))

t.test("Arc's own arc.db there and back; the journal mode stays", async (t) => {
  const dir = t.testdir()
  const live = `${dir}/arc.db`
  copyFileSync('test/fixtures/arc-26.09.1/data/arc.db', live)
  await snapshotDatabase({ path: live, to: `${dir}/snap` })
  const dump = (path: string) => {
    const db = new Database(path)
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").pluck().all()
    const content = tables.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).all()])
    const mode = db.pragma('journal_mode', { simple: true })
    db.close()
    return { content, mode }
  }
  const was = dump(live)
  const db = new Database(live)
  db.exec("UPDATE api_tokens SET token_hash = 'damaged'; CREATE TABLE more (x)")
  db.close()
  t.same(await restoreDatabase({ from: `${dir}/snap`, to: live }), { before: `${live}.before-restore` })
  t.same(dump(live), was)
  t.equal(was.mode, 'wal')
  t.equal(statSync(`${live}.before-restore`).mode & 0o777, 0o600)
  const old = new Database(`${live}.before-restore`, { readonly: true })
  t.same(old.prepare('SELECT DISTINCT token_hash FROM api_tokens').pluck().all(), ['damaged'])
  old.close()
  t.same(readdirSync(dir).sort(), ['arc.db', 'arc.db.before-restore', 'snap'])
})

t.test('who has it open sees the restored rows without reopening', async (t) => {
  for (const mode of ['WAL', 'DELETE']) {
    const dir = t.testdir({ [mode]: {} })
    const live = makeDatabase(`${dir}/${mode}/live`, ['old'], { mode })
    const from = makeDatabase(`${dir}/from-${mode}`, ['backup'], { mode: 'DELETE' })
    const other = new Neighbour(live, `say('sees ' + ${readRows}); await ended; say('then ' + ${readRows})`)
    await other.hear('sees')
    await restoreDatabase({ from, to: live })
    await other.stop()
    t.equal(await other.hear('then'), 'backup', mode)
    t.same(rowsOf(`${live}.before-restore`), ['old'])
  }
})

t.test('an earlier old state keeps its place under its time', async (t) => {
  const dir = t.testdir()
  const live = makeDatabase(`${dir}/live`, ['first'])
  const from = makeDatabase(`${dir}/from`, ['backup'])
  await restoreDatabase({ from, to: live })
  const time = new Date('2026-03-04T05:06:07Z')
  utimesSync(`${live}.before-restore`, time, time)
  await restoreDatabase({ from, to: live })
  t.same(rowsOf(`${live}.before-restore.20260304T050607Z`), ['first'])
  t.same(rowsOf(`${live}.before-restore`), ['backup'])
})

t.test('a row that is committed while the restore waits for its writer is in the old state', async (t) => {
  const dir = t.testdir()
  const live = makeDatabase(`${dir}/live`, ['old'])
  const from = makeDatabase(`${dir}/from`, ['backup'])
  const body = `db.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES ('late')"); say('held'); await ended; db.exec('COMMIT')`
  const other = new Neighbour(live, body)
  await other.hear('held')
  const restore = restoreDatabase({ from, to: live })
  await new Promise((done) => setTimeout(done, 300))
  t.notOk(existsSync(`${live}.before-restore`), 'no old state before its content is settled')
  await other.stop()
  await restore
  t.same(rowsOf(`${live}.before-restore`), ['old', 'late'])
  t.same(rowsOf(live), ['backup'])
})

t.test('busy beyond the deadline: the live database is as it was', async (t) => {
  for (const [mode, begin] of [
    ['WAL', 'BEGIN IMMEDIATE'],
    ['DELETE', 'BEGIN IMMEDIATE'],
    ['DELETE', 'BEGIN EXCLUSIVE'],
  ]) {
    const dir = t.testdir()
    const live = makeDatabase(`${dir}/live`, ['old'], { mode: `${mode}` })
    const from = makeDatabase(`${dir}/from`, ['backup'])
    const other = new Neighbour(live, `db.exec('${begin}'); say('held'); await ended; db.exec('ROLLBACK')`)
    await other.hear('held')
    await t.rejects(restoreDatabase({ from, to: live, deadlineMs: 200 }), { code: 'SQLITE_BUSY' }, `${mode} ${begin}`)
    await other.stop()
    t.same(rowsOf(live), ['old'])
    t.same(readdirSync(dir).sort(), ['from', 'live'], 'no copy of it stays')
  }
})

t.test('a writer that takes the lock at once after the copy does not make a done restore fail', async (t) => {
  const dir = t.testdir()
  const live = makeDatabase(`${dir}/live`, ['old'])
  const from = makeDatabase(`${dir}/from`, ['backup'], { blobs: 10_000 })
  const body = `
    say('up')
    for (let busy = 0; !over; ) {
      try { db.exec('BEGIN IMMEDIATE') } catch { busy += 1; continue }
      if (busy > 20) { say('held'); await ended; db.exec("INSERT INTO t VALUES ('after')"); db.exec('COMMIT'); return }
      db.exec('ROLLBACK'); busy = 0; await sleep(20)
    }`
  const other = new Neighbour(live, body, '{ timeout: 0 }')
  t.teardown(() => other.stop())
  await other.hear('up')
  await restoreDatabase({ from, to: live, deadlineMs: 5000 })
  await other.hear('held')
  await other.stop()
  t.same(rowsOf(live), ['backup', 'after'])
})

t.test('a live database that is missing', async (t) => {
  const dir = t.testdir()
  const from = makeDatabase(`${dir}/from`, ['backup'])
  const to = `${dir}/new/arc.db`
  t.same(await restoreDatabase({ from, to, owner: { uid: 65534, gid: 65534 } }), { before: null })
  t.same(rowsOf(to), ['backup'])
  const { mode, uid, gid } = statSync(to)
  t.same([mode & 0o777, uid, gid], [0o600, 65534, 65534])
  t.same(readdirSync(`${dir}/new`), ['arc.db'])
})

t.test('a live file that SQLite can not read is kept with its WAL and replaced', async (t) => {
  for (const content of ['not a database, and long enough', '']) {
    const dir = t.testdir({ live: content, 'live-wal': 'stale wal', 'live-shm': 'stale shm' })
    const live = `${dir}/live`
    chownSync(live, 65534, 65534)
    const from = makeDatabase(`${dir}/from`, ['backup'])
    t.same(await restoreDatabase({ from, to: live }), { before: `${live}.before-restore` })
    t.same(rowsOf(live), ['backup'])
    t.equal(integrityOf(live), 'ok')
    t.equal(statSync(live).uid, 65534, 'its owner can still read it')
    t.equal(readFileSync(`${live}.before-restore`, 'utf8'), content)
    t.equal(readFileSync(`${live}.before-restore-wal`, 'utf8'), 'stale wal')
    t.same(readdirSync(dir).sort(), ['from', 'live', 'live.before-restore', 'live.before-restore-wal'])
  }
})

t.test('damaged pages in a database that another process has open', async (t) => {
  const dir = t.testdir()
  const live = makeDatabase(`${dir}/live`, ['old'], { blobs: 100 })
  damage(live)
  const from = makeDatabase(`${dir}/from`, ['backup'])
  const other = new Neighbour(live, `say('sees ' + ${readRows}); await ended; say('then ' + ${readRows})`)
  await other.hear('sees')
  await restoreDatabase({ from, to: live })
  await other.stop()
  t.equal(await other.hear('then'), 'backup')
  t.equal(integrityOf(live), 'ok')
})

t.test('a link stays a link', async (t) => {
  const dir = t.testdir({ real: {} })
  makeDatabase(`${dir}/real/live`, ['old'])
  symlinkSync(`${dir}/real/live`, `${dir}/live`)
  await restoreDatabase({ from: makeDatabase(`${dir}/from`, ['backup']), to: `${dir}/live` })
  t.ok(lstatSync(`${dir}/live`).isSymbolicLink())
  t.same(rowsOf(`${dir}/real/live`), ['backup'])
})

t.test('a backup that is damaged, or has other pages, touches nothing', async (t) => {
  const dir = t.testdir({ text: 'not a database' })
  const live = makeDatabase(`${dir}/live`, ['old'])
  const damaged = makeDatabase(`${dir}/damaged`, ['backup'], { blobs: 100 })
  damage(damaged)
  const other = `${dir}/other`
  new Database(other).exec('PRAGMA page_size = 8192; CREATE TABLE t (a)').close()
  const was = readFileSync(live)
  for (const from of [damaged, `${dir}/text`]) {
    await t.rejects(restoreDatabase({ from, to: live }), { code: 'SQLITE_INVALID' })
  }
  await t.rejects(restoreDatabase({ from: other, to: live }), { code: 'SQLITE_INVALID', message: /8192.*4096/ })
  t.ok(readFileSync(live).equals(was))
  t.notOk(existsSync(`${live}.before-restore`))
})

t.test('a full disk, for the old state and for the copy itself', async (t) => {
  for (const [name, blobs] of [
    ['no room for the old state', 150],
    ['no room for the new one', 10],
  ] as const) {
    const dir = t.testdir({ disk: {} })
    const from = makeDatabase(`${dir}/from`, ['backup'], { blobs: 400 })
    await withSmallDisk(`${dir}/disk`, '1m', async () => {
      const live = `${dir}/disk/live`
      copyFileSync(makeDatabase(`${dir}/small`, ['old'], { blobs }), live)
      const keeper = new Database(live)
      t.same(keeper.prepare('SELECT a FROM t').pluck().all(), ['old'])
      await t.rejects(restoreDatabase({ from, to: live }), { code: 'STORE_FULL' }, name)
      t.same(keeper.prepare('SELECT a FROM t').pluck().all(), ['old'])
      keeper.close()
      t.equal(integrityOf(live), 'ok')
      t.same(readdirSync(`${dir}/disk`), ['live'], 'no copy stays to take room')
    })
  }
})

t.test('no room to move the restored pages out of the WAL: they are restored all the same', async (t) => {
  const dir = t.testdir({ disk: {} })
  const from = makeDatabase(`${dir}/from`, ['backup'], { blobs: 140 })
  await withSmallDisk(`${dir}/disk`, '1m', async () => {
    const live = `${dir}/disk/live`
    copyFileSync(makeDatabase(`${dir}/small`, ['old']), live)
    const keeper = new Database(live)
    keeper.prepare('SELECT a FROM t').all()
    t.same(await restoreDatabase({ from, to: live }), { before: `${live}.before-restore` })
    t.same(keeper.prepare('SELECT a FROM t').pluck().all(), ['backup'])
    keeper.close()
    t.same(rowsOf(`${live}.before-restore`), ['old'])
    t.same(rowsOf(live), ['backup'])
  })
})

t.test('a disk that can only be read', async (t) => {
  const dir = t.testdir({ disk: {} })
  const from = makeDatabase(`${dir}/from`, ['backup'])
  await withSmallDisk(`${dir}/disk`, '1m', async () => {
    const live = makeDatabase(`${dir}/disk/live`, ['old'], { mode: 'DELETE' })
    execFileSync('mount', ['-o', 'remount,ro', `${dir}/disk`])
    for (const to of [live, `${dir}/disk/missing`]) {
      await t.rejects(restoreDatabase({ from, to }), { code: 'STORE_DENIED' })
    }
    t.same(readdirSync(`${dir}/disk`), ['live'])
  })
})

t.test('a backup that says it is done and has copied nothing', async (t) => {
  const dir = t.testdir()
  const live = makeDatabase(`${dir}/live`, ['old'])
  const from = makeDatabase(`${dir}/from`, ['backup'])
  const { backup } = Database.prototype
  t.teardown(() => {
    Database.prototype.backup = backup
  })
  // No real lock makes SQLite say so in WAL mode: the fault has to be put in.
  Database.prototype.backup = function (to, options) {
    return to === live ? Promise.resolve({ totalPages: 5, remainingPages: 0 }) : backup.call(this, to, options)
  }
  await t.rejects(restoreDatabase({ from, to: live }), { code: 'INTEGRITY' })
  t.same(rowsOf(live), ['old'])
})

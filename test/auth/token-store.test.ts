import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { setImmediate as breathe } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { sha256 } from '../../src/auth/token-hash.js'
import { TokenStore } from '../../src/auth/token-store.js'
import { adminToken } from '../support/fixture.js'
import { asNobody } from '../support/nobody.js'
import { openArc } from './scene.js'

const adminPrefix = sha256(adminToken).slice(0, 16)

function openStore(t: Test, path: string): TokenStore {
  const store = new TokenStore(path)
  t.teardown(() => store.close())
  return store
}

/** Every question is refused: none is answered as if there were no tokens. */
function refusesAll(t: Test, store: TokenStore, why: RegExp): void {
  const refusal = { code: 'UNAVAILABLE', status: 503, message: why }
  t.throws(() => store.version(), refusal)
  t.throws(() => store.candidates(adminPrefix), refusal)
  t.throws(() => store.row(1), refusal)
  t.throws(() => store.isEmpty(), refusal)
}

t.test('candidates are the rows with this prefix, and those from before there were prefixes', async (t) => {
  const arc = openArc(t)
  const store = openStore(t, arc.path)
  const names = () => store.candidates(adminPrefix).map((row) => row.name)
  t.same(names(), ['admin', 'alpha-sha256_admin', 'alpha-spaced'])
  arc.add({ name: 'null', token: 'x', prefix: null })
  arc.add({ name: 'empty', token: 'x', prefix: '' })
  arc.add({ name: 'other', token: 'x' })
  arc.add({ name: 'revoked', token: 'x', prefix: '__legacy__', enabled: 0 })
  arc.add({ name: 'revoked in another way', token: 'x', prefix: '__legacy__', enabled: 2 })
  arc.add({ name: 'without creation', token: 'x', prefix: '__legacy__', createdAt: null })
  t.same(names(), ['admin', 'alpha-sha256_admin', 'alpha-spaced', 'null', 'empty'])
})

t.test('a row has what SQLite has, as text where Go would read text', async (t) => {
  const arc = openArc(t)
  const store = openStore(t, arc.path)
  const hash = sha256('x')
  const id = arc.add({
    name: 'blobs',
    token: 'x',
    hash: Buffer.from(hash),
    permissions: Buffer.from('admin'),
    expiresAt: 1_900_000_000,
  })
  t.same(store.row(id), { id, name: 'blobs', hash, permissions: 'admin', expiresAt: 1_900_000_000 })
  arc.db.prepare('UPDATE api_tokens SET permissions = NULL, expires_at = NULL WHERE id = ?').run(id)
  t.match(store.row(id), { permissions: null, expiresAt: null })
  arc.db.prepare('UPDATE api_tokens SET enabled = 0 WHERE id = ?').run(id)
  t.equal(store.row(id), undefined)
  t.equal(store.row(9999), undefined)
})

t.test('the version is the same until somebody has written', async (t) => {
  const arc = openArc(t)
  const store = openStore(t, arc.path)
  const first = store.version()
  t.equal(store.version(), first)
  arc.db.exec("UPDATE api_tokens SET last_used_at = '2026-01-01'")
  const second = store.version()
  t.not(second, first)
  t.equal(store.version(), second)
})

t.test('what lies in the write-ahead log only is seen, and nothing is written', async (t) => {
  const arc = openArc(t)
  arc.db.pragma('wal_autocheckpoint = 0')
  arc.db.pragma('wal_checkpoint(TRUNCATE)')
  const before = readFileSync(arc.path)
  arc.add({ name: 'new', token: 'x', prefix: 'p' })
  const log = readFileSync(`${arc.path}-wal`)
  t.ok(log.length > 0)
  const store = openStore(t, arc.path)
  t.match(
    store.candidates('p').map((row) => row.name),
    ['alpha-sha256_admin', 'alpha-spaced', 'new'],
  )
  store.close()
  t.ok(readFileSync(arc.path).equals(before))
  t.ok(readFileSync(`${arc.path}-wal`).equals(log))
})

t.test('another process writes all the time', async (t) => {
  const arc = openArc(t)
  const store = openStore(t, arc.path)
  const script = `
    import Database from 'better-sqlite3'
    const db = new Database(process.argv[1])
    db.pragma('wal_autocheckpoint = 5')
    const add = db.prepare("INSERT INTO api_tokens (name, token_hash, token_prefix) VALUES (?, 'x', 'written')")
    for (let i = 0; i < 300; i += 1) add.run('written ' + i)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, arc.path], { stdio: 'inherit' })
  const ended = once(child, 'exit')
  let [seen, looks] = [0, 0]
  let version = ''
  while (child.exitCode === null) {
    const now = store.version()
    const found = store.candidates('written').length - 2
    if (found < seen) t.fail(`${found} rows after ${seen}`)
    if (now === version && found !== seen && store.version() === now) t.fail('new rows under the old version')
    ;[seen, version] = [found, now]
    looks += 1
    await breathe()
  }
  t.same(await ended, [0, null])
  t.ok(looks > 10, `${looks} looks`)
  t.equal(store.candidates('written').length - 2, 300)
})

t.test('another file under the name is another database', async (t) => {
  const arc = openArc(t)
  const store = openStore(t, arc.path)
  const id = arc.add({ name: 'gone', token: 'x' })
  const first = store.version()
  t.equal(store.row(id)?.name, 'gone')
  const next = `${arc.path}.next`
  arc.db.exec(`VACUUM INTO '${next}'`)
  const other = new Database(next)
  other.exec("UPDATE api_tokens SET name = 'new' WHERE name = 'gone'")
  other.close()
  for (const suffix of ['-wal', '-shm']) rmSync(`${arc.path}${suffix}`, { force: true })
  renameSync(next, arc.path)
  t.not(store.version(), first)
  t.equal(store.row(id)?.name, 'new')
})

t.test('no database, and one without the table, have no tokens; and later they have', async (t) => {
  const arc = openArc(t)
  const path = `${t.testdirName}/late/arc.db`
  const store = openStore(t, path)
  const hasNone = (why: string) => {
    t.equal(store.version(), 'absent', why)
    t.same(store.candidates(adminPrefix), [])
    t.equal(store.row(1), undefined)
    t.equal(store.isEmpty(), true)
  }
  hasNone('no folder')
  mkdirSync(`${t.testdirName}/late`)
  hasNone('no file')
  const db = new Database(path)
  db.exec('CREATE TABLE other (id INTEGER)')
  hasNone('no table')
  const { sql } = arc.db.prepare("SELECT sql FROM sqlite_master WHERE name = 'api_tokens'").get() as { sql: string }
  db.exec(sql)
  t.not(store.version(), 'absent')
  t.equal(store.isEmpty(), true, 'no row')
  db.exec("INSERT INTO api_tokens (name, token_hash, enabled) VALUES ('revoked', 'x', 0)")
  t.equal(store.isEmpty(), false, 'a revoked token is one too')
  db.close()
  rmSync(`${t.testdirName}/late`, { recursive: true })
  hasNone('gone again')
})

t.test("a file that is no database, or a damaged one, can't be read", async (t) => {
  const arc = openArc(t)
  const folder = t.testdirName
  writeFileSync(`${folder}/text.db`, 'this is not SQLite'.repeat(100))
  refusesAll(
    t,
    openStore(t, `${folder}/text.db`),
    /cannot check tokens: .*text\.db can't be read now \(SQLITE_NOTADB\)/,
  )
  refusesAll(t, openStore(t, folder), /\(it is not a file\)/)

  arc.db.pragma('wal_checkpoint(TRUNCATE)')
  const whole = readFileSync(arc.path)
  writeFileSync(`${folder}/zeros.db`, Buffer.alloc(whole.length))
  refusesAll(t, openStore(t, `${folder}/zeros.db`), /\(SQLITE_NOTADB\)/)
  writeFileSync(`${folder}/half.db`, Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0xff)]))
  const half = openStore(t, `${folder}/half.db`)
  t.throws(() => half.candidates(adminPrefix), { code: 'UNAVAILABLE', message: /SQLITE_CORRUPT/ })
  t.throws(() => half.isEmpty(), { code: 'UNAVAILABLE', message: /SQLITE_CORRUPT/ })
})

t.test("a table with other columns, or a view that leads nowhere, can't be read", async (t) => {
  const folder = t.testdir({})
  const old = new Database(`${folder}/old.db`)
  old.exec('CREATE TABLE api_tokens (id INTEGER PRIMARY KEY, name TEXT)')
  old.close()
  refusesAll(t, openStore(t, `${folder}/old.db`), /\(SQLITE_ERROR\)/)
  const view = new Database(`${folder}/view.db`)
  view.exec('CREATE VIEW api_tokens AS SELECT * FROM elsewhere')
  view.close()
  refusesAll(t, openStore(t, `${folder}/view.db`), /\(SQLITE_ERROR\)/)
})

t.test('a busy database is no empty one, and is read once it is free', async (t) => {
  const arc = openArc(t)
  const path = `${t.testdirName}/busy.db`
  arc.db.pragma('wal_checkpoint(TRUNCATE)')
  copyFileSync(arc.path, path)
  const holder = new Database(path)
  t.teardown(() => holder.close())
  holder.pragma('journal_mode = DELETE')
  const store = openStore(t, path)
  t.equal(store.isEmpty(), false)
  holder.exec('BEGIN EXCLUSIVE')
  refusesAll(t, store, /\(SQLITE_BUSY\)/)
  holder.exec('ROLLBACK')
  t.equal(store.isEmpty(), false)
  t.equal(store.candidates(adminPrefix)[0]?.name, 'admin')
})

t.test("who may not read the file, or reach it, doesn't take it for empty", async (t) => {
  const folder = t.testdir({})
  const arc = openArc(t, folder)
  arc.db.pragma('wal_checkpoint(TRUNCATE)')
  // Not below the test's own folder, which user 65534 may not reach.
  const open = mkdtempSync(`${tmpdir()}/arc-backup-test-`)
  t.teardown(() => rmSync(open, { recursive: true }))
  chmodSync(open, 0o755)
  mkdirSync(`${open}/closed`, { mode: 0o700 })
  for (const path of [`${open}/arc.db`, `${open}/closed/arc.db`]) copyFileSync(arc.path, path)
  chmodSync(`${open}/arc.db`, 0o600)
  await asNobody(async () => {
    refusesAll(t, openStore(t, `${open}/arc.db`), /\(SQLITE_CANTOPEN\)/)
    refusesAll(t, openStore(t, `${open}/closed/arc.db`), /\(EACCES\)/)
  })
  t.equal(openStore(t, `${open}/arc.db`).isEmpty(), false)
})

t.test("what SQLite makes beside the file belongs to the file's owner: Arc has to open it too", async (t) => {
  const arc = openArc(t)
  arc.db.close()
  chownSync(arc.path, 65534, 65534)
  chmodSync(arc.path, 0o600)
  const store = openStore(t, arc.path)
  t.equal(store.isEmpty(), false)
  for (const suffix of ['-wal', '-shm']) {
    const { uid, gid, mode } = statSync(`${arc.path}${suffix}`)
    t.same([uid, gid, mode & 0o777], [65534, 65534, 0o600], suffix)
  }
})

t.test('close may come twice, and the next question opens it again', async (t) => {
  const arc = openArc(t)
  const store = openStore(t, arc.path)
  const version = store.version()
  store.close()
  store.close()
  t.not(store.version(), version)
  t.equal(store.isEmpty(), false)
})

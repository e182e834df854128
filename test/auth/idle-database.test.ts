import { appendFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { markOf, needsFilesBeside, readIdle } from '../../src/auth/idle-database.js'

t.test('a database in WAL mode that nobody has open is read without a file beside it', async (t) => {
  const path = `${t.testdir({})}/arc.db`
  const writer = new Database(path)
  writer.pragma('journal_mode = WAL')
  writer.exec('CREATE TABLE x (n); INSERT INTO x VALUES (7)')
  t.equal(readIdle(path), undefined, 'somebody has it open: its WAL would be missing')
  const opened = markOf(path)
  writer.close()
  t.not(markOf(path), opened)
  const copy = readIdle(path)
  t.same(copy?.prepare('SELECT n FROM x').pluck().all(), [7])
  copy?.close()
  const before = markOf(path)
  appendFileSync(path, Buffer.alloc(4096))
  t.not(markOf(path), before, 'a change is noticed')
  truncateSync(path, (128 << 20) + 1)
  t.equal(readIdle(path), undefined, 'so much is not read into memory')
})

t.test('which errors say that SQLite wants to write beside it', async (t) => {
  const codes = ['SQLITE_READONLY_DIRECTORY', 'SQLITE_CANTOPEN', 'SQLITE_CANTOPEN_ISDIR', 'SQLITE_BUSY', 'ENOENT']
  const wants = codes.filter((code) => needsFilesBeside(Object.assign(new Error(code), { code })))
  t.same(wants, codes.slice(0, 3))
  t.notOk(needsFilesBeside(null))
  const path = `${t.testdir({})}/none`
  writeFileSync(path, '')
  rmSync(path)
  t.throws(() => markOf(path), { code: 'ENOENT' })
})

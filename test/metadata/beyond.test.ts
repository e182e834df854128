import { copyFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { lookBeyond } from '../../src/metadata/beyond.js'

const arc = 'test/fixtures/arc-26.09.1/data/arc.db'

t.test("what Arc's database speaks of and does not hold", async (t) => {
  const path = `${t.testdir()}/arc.db`
  copyFileSync(arc, path)
  const after = (sql: string) => {
    const db = new Database(path)
    db.exec(sql)
    db.close()
    return lookBeyond(path)
  }
  t.same(lookBeyond(path), { encrypted: false, coldFiles: 0 })
  const brokers = 'CREATE TABLE mqtt_subscriptions (id TEXT PRIMARY KEY, username TEXT, password_encrypted TEXT);'
  t.match(after(`${brokers} INSERT INTO mqtt_subscriptions VALUES ('a', 'u', NULL), ('b', '', '')`), {
    encrypted: false,
  })
  t.match(after("UPDATE mqtt_subscriptions SET password_encrypted = 'x' WHERE id = 'b'"), { encrypted: true })
  const spokes = 'DROP TABLE mqtt_subscriptions; CREATE TABLE "sync ""spokes" (secret_encrypted TEXT NOT NULL);'
  t.match(after(spokes), { encrypted: false })
  t.match(after(`INSERT INTO "sync ""spokes" VALUES ('x')`), { encrypted: true }, 'in a table that we do not know')
  t.match(after('CREATE TABLE tier_files (path TEXT, tier TEXT NOT NULL)'), { coldFiles: 0 })
  t.match(after("INSERT INTO tier_files VALUES ('a', 'hot'), ('b', 'cold'), ('c', 'cold')"), { coldFiles: 2 })
})

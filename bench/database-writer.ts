import Database from 'better-sqlite3'

// A process of its own that writes to arc.db as Arc does all the time: one small transaction every 10 ms.
const db = new Database(process.argv[4] ?? '', { timeout: 5000 })
db.pragma('journal_mode = WAL')
const insert = db.prepare("INSERT INTO audit_logs (event, actor) VALUES ('api.get', 'bench')")
setInterval(() => insert.run(), 10)

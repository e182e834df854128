import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import Database from 'better-sqlite3'

/** What a data directory is to hold. */
export interface ArcDataOptions {
  /** Hours of small files for each measurement. */
  readonly hours: number
  /** Size of each large file, in rows of 16 random bytes. */
  readonly largeRows: number
  readonly largeFiles: number
  /** Lines of a table for another place for backups than `data/backups`. */
  readonly target?: string | undefined
}

export interface ArcData {
  readonly storage: string
  readonly database: string
  readonly backups: string
  readonly config: string
  /** An admin's token. */
  readonly token: string
}

/** Benches run as they are built, in `dist/`. */
const arcsDatabase = fileURLToPath(new URL('../../test/fixtures/arc-26.09.1/data/arc.db', import.meta.url))

const measurements: Record<string, readonly string[]> = {
  factory: ['temperature', 'pressure', 'vibration', 'power'],
  fleet: ['position', 'fuel'],
  grid: ['voltage', 'load'],
}
const rowsPerSmallFile = 50

/** Writes a data directory as Arc would have it: real Parquet in Arc's layout, `arc.db` with Arc's tables and tokens, `arc.toml`. */
export async function writeArcData(folder: string, options: ArcDataOptions): Promise<ArcData> {
  const storage = `${folder}/data/arc`
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  await connection.run('SET preserve_insertion_order = false; SET threads = 2')
  try {
    for (const [database, names] of Object.entries(measurements)) {
      for (const name of names) await writeMeasurement(connection, storage, database, name, options.hours)
      const marker = { created_at: '2026-01-01T00:00:00Z' }
      writeFileSync(`${storage}/${database}/.arc-database`, JSON.stringify(marker))
    }
    for (let index = 0; index < options.largeFiles; index += 1)
      await writeLarge(connection, storage, index, options.largeRows)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
  const token = randomBytes(32).toString('base64url')
  const data = {
    storage,
    database: `${folder}/data/arc.db`,
    backups: `${folder}/data/backups`,
    config: `${folder}/arc.toml`,
    token,
  }
  writeTokens(data.database, token)
  writeFileSync(data.config, configText(folder, options.target))
  return data
}

/** One statement writes all hours of a measurement; then each file gets the name that Arc would have given it. */
async function writeMeasurement(
  connection: DuckDBConnection,
  storage: string,
  database: string,
  name: string,
  hours: number,
): Promise<void> {
  const staging = `${storage}/.staging-${name}`
  mkdirSync(staging, { recursive: true })
  await connection.run(`COPY (
    SELECT range // ${rowsPerSmallFile} AS hour, epoch_us(TIMESTAMP '2026-01-01' + INTERVAL 72 SECOND * range) AS time, 'host' || (range % 7) AS host,
      hash(range, '${database}.${name}') % 100000 AS value
    FROM range(${hours * rowsPerSmallFile})) TO '${staging}' (FORMAT parquet, PARTITION_BY (hour))`)
  for (let hour = 0; hour < hours; hour += 1) {
    const time = new Date(Date.UTC(2026, 0, 1, hour)).toISOString()
    const at = `${storage}/${database}/${name}/${time.slice(0, 10).replaceAll('-', '/')}/${time.slice(11, 13)}`
    mkdirSync(at, { recursive: true })
    const stamp = `${time.slice(0, 10).replaceAll('-', '')}_${time.slice(11, 13)}0000`
    renameSync(
      `${staging}/hour=${hour}/data_0.parquet`,
      `${at}/${name}_${stamp}_${String(hour).padStart(9, '0')}.parquet`,
    )
  }
  rmSync(staging, { recursive: true })
}

/** A day's compacted file; random values don't compress. */
async function writeLarge(connection: DuckDBConnection, storage: string, index: number, rows: number): Promise<void> {
  const day = String(10 + index)
  const at = `${storage}/factory/temperature/2026/02/${day}`
  mkdirSync(at, { recursive: true })
  await connection.run(`COPY (
    SELECT epoch_us(TIMESTAMP '2026-02-${day}') + range AS time, 'host' || (range % 7) AS host, hash(range, ${index}) % 1000000007 AS value, random() AS noise
    FROM range(${rows})) TO '${at}/temperature_202602${day}_000000_1_b0_daily.parquet' (FORMAT parquet, COMPRESSION uncompressed)`)
}

/** The tables of a real Arc, without its tokens but with these; and the one for its audit trail, which only a licence makes. */
export function writeTokens(path: string, token: string): void {
  copyFileSync(arcsDatabase, path)
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec(`DELETE FROM api_tokens;
    CREATE TABLE audit_logs (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT, actor TEXT, created_at TIMESTAMP)`)
  const insert = db.prepare('INSERT INTO api_tokens (name, token_hash, permissions, token_prefix) VALUES (?, ?, ?, ?)')
  for (const [name, value, permissions] of [
    ['admin', token, 'read,write,delete,admin'],
    ['dashboard', randomBytes(32).toString('base64url'), 'read'],
    ['ingest', randomBytes(32).toString('base64url'), 'read,write'],
  ] as const) {
    insert.run(name, hashToken(value), permissions, createHash('sha256').update(value).digest('hex').slice(0, 16))
  }
  db.close()
}

/** As Arc stores a token: PBKDF2-HMAC-SHA256, base64 without padding. */
function hashToken(token: string): string {
  const salt = randomBytes(16)
  const iterations = 600_000
  const key = pbkdf2Sync(token, salt, iterations, 32, 'sha256')
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
  return `$pbkdf2-sha256$${iterations}$${text(salt)}$${text(key)}`
}

function configText(folder: string, target: string | undefined): string {
  return `[storage]
backend = "local"
local_path = "${folder}/data/arc"

[auth]
db_path = "${folder}/data/arc.db"

[retention]
db_path = "${folder}/data/arc.db"

[continuous_query]
db_path = "${folder}/data/arc.db"

[backup]
${target === undefined ? `local_path = "${folder}/data/backups"` : 'default_target = "remote"\nlocal_path = ""'}
state_path = "${folder}/data/arc-backup"
host = "127.0.0.1"
port = 0
${target === undefined ? '' : `[backup.targets.remote]\n${target}`}`
}

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { arcBackupId, copyFixture } from '../support/fixture.js'
import { makeDatabase, rowsOf } from '../support/neighbour.js'
import { type Json, startTestService } from '../support/service.js'
import { countRows, query } from '../support/sql.js'
import { hashTree } from '../support/tree.js'

const hour = 'alpha_iot/cpu/2026/01/01/03'

t.test("a backup holds what it should, in Arc's layout, with every hash on record", async (t) => {
  const { folder, run, call } = await startTestService(t)
  const storage = `${folder}/data/arc`
  const wanted = [
    'alpha_iot/.arc-database',
    '_schema/alpha_iot/cpu.parquet',
    '_compaction_state/hourly/alpha_iot/x.json',
    'arc_alpha.db/cpu/metadata/v1.metadata.json',
  ]
  const unwanted = [
    'alpha_iot/cpu/x.parquet.part',
    'alpha_iot/cpu/.hidden.parquet',
    '.tmp/y.parquet',
    '.sync-staging/s/z.parquet',
    'alpha_iot/notes.txt',
  ]
  for (const path of [...wanted, ...unwanted]) {
    mkdirSync(`${storage}/${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true })
    writeFileSync(`${storage}/${path}`, path)
  }
  const status = await run('')
  t.match(status, { status: 'completed', outcome: 'completed', skipped_files: 0, total_files: 40, processed_files: 40 })
  const id = String(status.backup_id)
  const backup = `${folder}/data/backups/${id}`
  const skip = (path: string): boolean => unwanted.includes(path) || ['.tmp', '.sync-staging'].includes(path)
  t.same(hashTree(`${backup}/data`), hashTree(storage, skip))
  t.equal(readFileSync(`${backup}/config/arc.toml`, 'utf8'), readFileSync(`${folder}/arc.toml`, 'utf8'))
  t.same(readdirSync(backup).sort(), ['config', 'data', 'manifest-files.json', 'manifest.json', 'metadata'])
  t.same(readdirSync(`${backup}/metadata`), ['arc.db'], 'no -wal or -shm')
  t.equal(statSync(backup).mode & 0o777, 0o700)
  t.equal(statSync(`${backup}/manifest.json`).mode & 0o777, 0o600)
  t.equal(statSync(`${backup}/data/${hour}`).mode & 0o777, 0o700)

  const sidecar = readFileSync(`${backup}/manifest-files.json`)
  const { files, other_files } = JSON.parse(sidecar.toString()) as { files: Json[]; other_files: Json[] }
  const { json: manifest } = await call('GET', `/${id}`)
  t.match(manifest, {
    total_files: 37,
    auxiliary_files: 1,
    has_metadata: true,
    has_config: true,
    sidecar: { sha256: createHash('sha256').update(sidecar).digest('hex'), entries: files.length + other_files.length },
  })
  t.equal(files.length, 36)
  for (const [prefix, entries] of [
    ['data/', files],
    ['', other_files],
  ] as const) {
    for (const { path, sha256, size_bytes } of entries) {
      const content = readFileSync(`${backup}/${prefix}${path}`)
      t.same([sha256, size_bytes], [createHash('sha256').update(content).digest('hex'), content.length], String(path))
    }
  }
})

t.test('a disaster is undone: data, tokens and configuration are as they were', async (t) => {
  const { folder, run } = await startTestService(t)
  const storage = `${folder}/data/arc`
  const before = hashTree(storage)
  const times = statSync(`${storage}/${hour}/${readdirSync(`${storage}/${hour}`)[0]}`).mtimeMs
  const tokens = readTokens(folder)
  const { backup_id } = await run('')
  rmSync(`${storage}/alpha_iot`, { recursive: true })
  for (const name of readdirSync(`${storage}/metrics/cpu/2026/01/01/00`))
    writeFileSync(`${storage}/metrics/cpu/2026/01/01/00/${name}`, 'damaged')
  const live = new Database(`${folder}/data/arc.db`)
  t.teardown(() => live.close())
  live.exec(
    "UPDATE api_tokens SET permissions = 'read' WHERE name = 'alpha-admin2'; DELETE FROM api_tokens WHERE name LIKE 'alpha-bcrypt%'",
  )
  const old = readTokens(folder)
  writeFileSync(`${folder}/arc.toml`, `${readFileSync(`${folder}/arc.toml`, 'utf8')}\n# edited\n`, { mode: 0o640 })
  const status = await run('/restore', { backup_id, confirm: true, restore_config: true })
  t.match(status, { status: 'completed', verified: true, missing_files: 0, processed_files: 36, mode: 'merge' })
  t.same(hashTree(storage), before)
  const restored = statSync(`${storage}/${hour}/${readdirSync(`${storage}/${hour}`)[0]}`).mtimeMs
  t.ok(Math.abs(restored - times) < 0.002, 'modification times come back to the microsecond')
  t.same(readTokens(folder), tokens)
  t.equal(
    live.prepare('SELECT count(*) FROM api_tokens').pluck().get(),
    10,
    'a connection that was open sees the restored rows',
  )
  const kept = new Database(`${folder}/data/arc.db.before-restore`, { readonly: true })
  t.same(kept.prepare('SELECT * FROM api_tokens ORDER BY id').all(), old)
  kept.close()
  t.equal(statSync(`${folder}/data/arc.db.before-restore`).mode & 0o777, 0o600)
  t.notMatch(readFileSync(`${folder}/arc.toml`, 'utf8'), '# edited')
  t.match(readFileSync(`${folder}/arc.toml.before-restore`, 'utf8'), '# edited')
})

t.test('databases that Arc keeps elsewhere go along, and come back to where they are now', async (t) => {
  const elsewhere = t.testdir({})
  const paths = {
    'iceberg-catalog': `${elsewhere}/ice.db`,
    retention: `${elsewhere}/retention.db`,
    'continuous-query': `${elsewhere}/queries.db`,
  }
  for (const [name, path] of Object.entries(paths)) makeDatabase(path, [name])
  const env = {
    ARC_ICEBERG_ENABLED: 'true',
    ARC_ICEBERG_CATALOG_DB_PATH: paths['iceberg-catalog'],
    ARC_RETENTION_DB_PATH: paths.retention,
    ARC_CONTINUOUS_QUERY_DB_PATH: paths['continuous-query'],
  }
  const folder = `${elsewhere}/arc`
  mkdirSync(folder)
  copyFixture(folder)
  const { run, call } = await startTestService(t, { folder, env })
  const { backup_id } = await run('')
  t.match((await call('GET', `/${backup_id}`)).json, {
    has_iceberg_catalog: true,
    metadata_files: ['arc', ...Object.keys(paths)],
  })
  const live = new Database(paths.retention)
  t.teardown(() => live.close())
  live.exec("UPDATE t SET a = 'changed'")
  rmSync(paths['iceberg-catalog'])
  t.match(await run('/restore', { backup_id, confirm: true }), { status: 'completed' })
  for (const [name, path] of Object.entries(paths)) t.same(rowsOf(path), [name], name)
  t.same(rowsOf(`${paths.retention}.before-restore`), ['changed'])
})

t.test('files that Arc has compacted since: replace moves them aside, merge says where both lie', async (t) => {
  const { folder, run } = await startTestService(t)
  const storage = `${folder}/data/arc`
  const { backup_id } = await run('')
  await compact(storage, hour)
  t.equal(await countRows(storage, 'alpha_iot/cpu'), 300)
  const merged = await run('/restore', { backup_id, confirm: true })
  t.match(merged, {
    status: 'completed',
    kept_files: 1,
    kept_partitions: ['alpha_iot/cpu/2026/01/01'],
    replaced_files: 0,
  })
  t.match((merged.warnings as string[]).join(), /replace/)
  t.equal(await countRows(storage, 'alpha_iot/cpu'), 350, 'merge is additive, as Arc is: rows are there twice')
  const replaced = await run('/restore', { backup_id, confirm: true, mode: 'replace' })
  t.match(replaced, { status: 'completed', mode: 'replace', kept_files: 0, replaced_files: 1 })
  t.equal(await countRows(storage, 'alpha_iot/cpu'), 300)
  const aside = readdirSync(`${storage}/${hour}`).filter((name) => name.endsWith('.replaced'))
  t.match(aside, [/^\.cpu_.*_compacted\.parquet\.[0-9a-f]{12}\.replaced$/], 'it is hidden, not gone')
  const journal = new Database(`${folder}/data/arc-backup/journal.db`, { readonly: true })
  t.match(journal.prepare('SELECT * FROM moved_aside').all(), [{ hidden: `${hour}/${aside[0]}` }], 'and on record')
  journal.close()
})

t.test('one database alone', async (t) => {
  const { folder, run, call } = await startTestService(t)
  const storage = `${folder}/data/arc`
  const whole = await run('')
  const scoped = await run('', { databases: ['metrics'] })
  const { json: manifest } = await call('GET', `/${scoped.backup_id}`)
  t.match(manifest, { scope: ['metrics'], total_files: 18, has_metadata: false, has_config: false })
  const before = hashTree(storage)
  rmSync(storage, { recursive: true })
  await run('/restore', { backup_id: whole.backup_id, confirm: true, databases: ['alpha_iot'] })
  t.same(readdirSync(storage), ['alpha_iot'])
  await run('/restore', { backup_id: scoped.backup_id, confirm: true })
  t.same(hashTree(storage), before)
  for (const [path, body] of [
    ['', { databases: ['metrics', 'nope'] }],
    ['/restore', { backup_id: scoped.backup_id, confirm: true, databases: ['alpha_iot'] }],
  ] as const) {
    const refused = await call('POST', path, body)
    t.equal(refused.status, 400)
    t.same(refused.json.unknown_databases, [path === '' ? 'nope' : 'alpha_iot'])
  }
})

t.test('a hundred at once: one gets in', async (t) => {
  const { call, settled } = await startTestService(t)
  const answers = await Promise.all(Array.from({ length: 100 }, () => call('POST', '')))
  const busy = answers.filter(({ status }) => status === 409)
  t.equal(answers.filter(({ status }) => status === 202).length, 1)
  t.equal(busy.length, 99)
  for (const { json } of busy)
    t.match(json, {
      operation: 'backup',
      status: 'running',
      error: 'A backup or restore operation is already in progress',
    })
  t.match(await settled(), { status: 'completed' })
})

t.test('delete removes everything, and knows what is not there', async (t) => {
  const { folder, run, call } = await startTestService(t)
  const { backup_id } = await run('')
  t.same((await call('DELETE', `/${backup_id}`)).text, `{"backup_id":"${backup_id}","message":"Backup deleted"}`)
  while ((await call('DELETE', '/backup-20200101-000000-00000000')).status === 409);
  t.same(readdirSync(`${folder}/data/backups`), [arcBackupId])
  t.equal((await call('DELETE', `/${backup_id}`)).status, 404)
  t.match((await call('GET', '')).json, { count: 1 })
})

t.test('a destination inside the storage root is left out', async (t) => {
  const env = { ARC_STORAGE_LOCAL_PATH: './data' }
  const { folder, run } = await startTestService(t, { env })
  const { backup_id, total_files } = await run('')
  t.equal(total_files, 36)
  t.same(readdirSync(`${folder}/data/backups/${backup_id}/data`), ['arc'])
})

function readTokens(folder: string): unknown[] {
  const db = new Database(`${folder}/data/arc.db`, { readonly: true })
  try {
    return db.prepare('SELECT * FROM api_tokens ORDER BY id').all()
  } finally {
    db.close()
  }
}

/** As Arc compacts an hour: one file with all rows, then the inputs are gone. */
async function compact(storage: string, folder: string): Promise<void> {
  const inputs = readdirSync(`${storage}/${folder}`)
  const output = `${storage}/${folder}/cpu_20260101_040000_1_b0_compacted.parquet`
  await query(`COPY (SELECT * FROM read_parquet('${storage}/${folder}/*.parquet')) TO '${output}.tmp' (FORMAT parquet)`)
  renameSync(`${output}.tmp`, output)
  for (const name of inputs) rmSync(`${storage}/${folder}/${name}`)
}

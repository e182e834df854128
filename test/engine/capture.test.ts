import { readdirSync, readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { readManifest } from '../../src/format/manifest.js'
import { makeDatabase, rowsOf } from '../support/neighbour.js'
import { openScene } from './scene.js'

const everything = { includeMetadata: true, includeConfig: true }

t.test("each of Arc's databases, and the configuration wherever it lies", async (t) => {
  const elsewhere = t.testdir({ 'my-arc.toml': '[server]\nport = 1\n' })
  const databases = ['arc', 'iceberg-catalog', 'retention', 'continuous-query'].map((name) => ({
    name,
    path: `${elsewhere}/${name}.sqlite`,
  }))
  for (const { name, path } of databases.slice(0, 3)) makeDatabase(path, [name])
  const { open, target } = openScene(t, { databases, configFile: `${elsewhere}/my-arc.toml` }, `${elsewhere}/scene`)
  const run = open()
  t.equal(await runBackup(run, everything), 'completed')
  const backup = `${target}/${run.backupId}`
  t.same(readdirSync(`${backup}/metadata`), ['arc.db', 'iceberg-catalog.db', 'retention.db'])
  for (const { name } of databases.slice(0, 3)) t.same(rowsOf(`${backup}/metadata/${name}.db`), [name])
  t.equal(readFileSync(`${backup}/config/arc.toml`, 'utf8'), '[server]\nport = 1\n')
  t.match(readManifest(readFileSync(`${backup}/manifest.json`)), {
    has_metadata: true,
    has_iceberg_catalog: true,
    has_config: true,
    metadata_files: ['arc', 'iceberg-catalog', 'retention'],
    warnings: [`there is no ${elsewhere}/continuous-query.sqlite: the backup has no continuous-query database`],
  })
})

t.test('what the copy of a database can not bring back is in the warnings', async (t) => {
  const folder = t.testdir({})
  const path = makeDatabase(`${folder}/arc.db`, ['a'])
  const db = new Database(path)
  db.exec(`CREATE TABLE mqtt_subscriptions (password_encrypted TEXT); INSERT INTO mqtt_subscriptions VALUES ('x');
    CREATE TABLE tier_files (tier TEXT); INSERT INTO tier_files VALUES ('cold'), ('hot'), ('cold')`)
  db.close()
  const { open, target } = openScene(t, { databases: [{ name: 'arc', path }] }, `${folder}/scene`)
  const run = open()
  await runBackup(run, { includeMetadata: true, includeConfig: false })
  t.match(readManifest(readFileSync(`${target}/${run.backupId}/manifest.json`)).warnings, [
    `${path} has values that can only be read with Arc's ARC_ENCRYPTION_KEY, which no backup holds`,
    `2 files of which ${path} says that they are in Arc's cold tier are in no backup`,
  ])
})

t.test('what was asked for, exists and can not be copied fails the backup, and nothing is left', async (t) => {
  const folder = t.testdir({ 'text.db': 'this is not SQLite'.repeat(100), 'is-a-folder': {} })
  const cases = {
    SQLITE_INVALID: { databases: [{ name: 'arc', path: `${folder}/text.db` }] },
    STORE_NOT_FOUND: { configFile: `${folder}/gone.toml` },
    INTERNAL: { configFile: `${folder}/is-a-folder` },
  }
  for (const [code, settings] of Object.entries(cases)) {
    const { open, target } = openScene(t, settings, `${folder}/scene-${code}`)
    await t.rejects(runBackup(open(), everything), { code }, JSON.stringify(settings))
    t.same(readdirSync(target), [])
  }
})

t.test('a configuration that was never loaded is a warning', async (t) => {
  const { open, target } = openScene(t)
  const run = open()
  t.equal(await runBackup(run, everything), 'completed')
  t.match(readManifest(readFileSync(`${target}/${run.backupId}/manifest.json`)), {
    has_metadata: false,
    has_config: false,
  })
  t.match(run.tracker.warnings, ['no configuration file was loaded: the backup has none'])
})

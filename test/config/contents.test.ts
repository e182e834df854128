import { symlinkSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'

t.test('each database file once, under the first name it has', async (t) => {
  const load = (toml: string) => {
    const cwd = t.testdir({ 'arc.toml': toml, data: { 'arc.db': '' } })
    symlinkSync('arc.db', `${cwd}/data/link.db`)
    return loadConfig({ cwd, env: {} }).databases.map(({ name, path }) => `${name} ${path.replace(`${cwd}/`, '')}`)
  }
  t.strictSame(load(''), ['arc data/arc.db'])
  t.strictSame(load('[iceberg]\ncatalog_db_path = "i.db"\n'), ['arc data/arc.db'], 'Iceberg is off')
  t.strictSame(load('[iceberg]\nenabled = true\ncatalog_db_path = "i.db"\n'), [
    'arc data/arc.db',
    'iceberg-catalog i.db',
  ])
  t.strictSame(load('[iceberg]\nenabled = true\ncatalog_db_path = "./data/link.db"\n'), ['arc data/arc.db'])
  t.strictSame(load('[retention]\ndb_path = "r.db"\n[continuous_query]\ndb_path = "q.db"\n'), [
    'arc data/arc.db',
    'retention r.db',
    'continuous-query q.db',
  ])
  t.strictSame(load('[retention]\ndb_path = "r.db"\n[continuous_query]\ndb_path = "./r.db"\n'), [
    'arc data/arc.db',
    'retention r.db',
  ])
  t.strictSame(
    load('[retention]\nenabled = false\ndb_path = "r.db"\n[continuous_query]\nenabled = false\ndb_path = "q.db"\n'),
    ['arc data/arc.db'],
  )
  t.strictSame(
    load('[auth]\ndb_path = "moved.db"\n'),
    ['arc moved.db', 'retention data/arc.db'],
    'Arc keeps the others where they were',
  )
})

t.test('what no backup holds', async (t) => {
  const uncovered = (toml: string) => loadConfig({ cwd: t.testdir({ 'arc.toml': toml }), env: {} }).uncovered.slice(1)
  t.strictSame(uncovered(''), [])
  t.strictSame(uncovered('[tiered_storage]\nenabled = true\n'), [])
  t.strictSame(uncovered('[tiered_storage.cold]\nenabled = true\n'), [])
  t.match(uncovered('[tiered_storage]\nenabled = true\n[tiered_storage.cold]\nenabled = true\n'), [/cold tier/])
})

t.test('an Iceberg warehouse outside the storage root', async (t) => {
  const uncovered = (warehouse: string, enabled = true) =>
    loadConfig({
      cwd: t.testdir({ 'arc.toml': `[iceberg]\nenabled = ${enabled}\nwarehouse = "${warehouse}"\n` }),
      env: {},
    }).uncovered.slice(1)
  for (const inside of ['', './data/arc', './data/arc/ice']) t.strictSame(uncovered(inside), [], inside)
  for (const outside of ['/ice', 'file:///ice'])
    t.match(uncovered(outside), ['the Iceberg warehouse /ice (iceberg.warehouse) lies outside storage.local_path'])
  t.strictSame(uncovered('/ice', false), [])
  const env = { ARC_STORAGE_BACKEND: 's3', ARC_STORAGE_S3_BUCKET: 'acme' }
  const cwd = t.testdir({ 'arc.toml': '[iceberg]\nenabled = true\nwarehouse = "/ice"\n' })
  t.match(loadConfig({ cwd, env }).uncovered[1], 'lies outside the storage and is in no backup')
})

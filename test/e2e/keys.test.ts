import { readdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { placeMaker } from '../support/configured-place.js'
import { type Json, startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

// Keys that an object store takes and a file system can't hold: skipped and named, and no more of them than may be skipped.

t.setTimeout(900_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t)
const makePlace = placeMaker(minio, azurite)
const usual = Array.from({ length: 40 }, (_, index) => `db/m/2026/01/01/00/${index}.parquet`)
const both = 'db/m/2026/01/01/03/both.parquet'
const odd = [
  `db/m/2026/01/01/01/${'l'.repeat(260)}.parquet`,
  'db/m/2026/01/01/02//double.parquet',
  `${both}/below.parquet`,
]

t.test('Azure holds them, a disk does not', async (t) => {
  const folder = t.testdir({})
  const [storage, disk, blobs] = [await makePlace(t, 'azure'), await makePlace(t, 'local'), await makePlace(t, 'azure')]
  const lines = [
    ...['[auth]', 'enabled = false', '[storage]', 'backend = "azure"', ...storage.lines],
    ...['[backup]', 'local_path = ""', 'default_target = "disk"'],
    ...['[backup.targets.disk]', 'type = "local"', ...disk.lines],
    ...['[backup.targets.blobs]', 'type = "azure"', ...blobs.lines],
  ]
  writeFileSync(`${folder}/arc.toml`, lines.join('\n'))
  for (const path of [...usual, both, ...odd]) await storage.place.put(path, Buffer.from(path))
  const { run, call } = await startTestService(t, { folder })

  const backup = await run('', { include_metadata: false })
  t.match(backup, { outcome: 'gaps', status: 'completed', skipped_files: 3, processed_files: 41 })
  const named = (backup.skipped_sample as Json[]).map(({ path, code }) => `${code} ${path}`)
  // Of two names that can't be there both, the one that comes first is.
  const [long, empty] = odd
  t.equal(named.filter((line) => line === `PATH_INVALID ${long}` || line === `PATH_INVALID ${empty}`).length, 2)
  t.equal(named.filter((line) => line.startsWith(`PATH_INVALID ${both}`)).length, 1)
  const { json } = await call('GET', `/${backup.backup_id}`)
  t.match(json, { skipped_files: 3, total_files: 41 })
  const kept = Object.keys(await disk.place.tree()).filter((path) => path.endsWith('.parquet'))
  t.equal(kept.length, 41)

  const whole = await run('', { include_metadata: false, target: 'blobs' })
  t.match(
    whole,
    { outcome: 'gaps', skipped_files: 1, processed_files: 43 },
    'another store holds all but what no path can be',
  )
  for (const path of [both, ...odd, ...usual]) await storage.place.remove(path)
  t.match(await run('/restore', { backup_id: whole.backup_id, confirm: true }), { outcome: 'completed' })
  const back = Object.keys(await storage.place.tree()).filter((path) => !path.startsWith('.'))
  t.equal(back.length, 43)

  for (const path of usual.slice(0, 25)) await storage.place.remove(path)
  const many = await run('', { include_metadata: false, incremental: false })
  t.match(many, { outcome: 'failed', error: /2 of 18 files were unreadable/ }, 'more than a tenth is no gap')

  const home = t.testdir({ storage: {} })
  const onto = [
    '[auth]',
    'enabled = false',
    '[storage]',
    `local_path = "${home}/storage"`,
    ...lines.slice(lines.indexOf('[backup]')),
  ]
  writeFileSync(`${home}/arc.toml`, onto.join('\n'))
  const there = await startTestService(t, { folder: home })
  const restore = { backup_id: whole.backup_id, confirm: true, restore_metadata: false }
  const none = await there.run('/restore', { ...restore, all_or_nothing: true })
  t.match(none, { outcome: 'failed', missing_files: 2, missing_sample: [{ code: 'PATH_INVALID', path: long }] })
  t.same(readdirSync(`${home}/storage`), [], 'nothing at all')
  const most = await there.run('/restore', restore)
  t.match(most, { outcome: 'failed', missing_files: 2 })
  t.equal(Object.keys(hashTree(`${home}/storage`)).filter((path) => path.endsWith('.parquet')).length, 41)
})

t.test('all or nothing: a file whose name is a folder here is found before the first live file changes', async (t) => {
  const folder = t.testdir({ storage: { db: { m: { 'live.parquet': 'live' } } } })
  const [source, blobs] = [await makePlace(t, 'azure'), await makePlace(t, 'azure')]
  const config = (storage: readonly string[]): string =>
    [
      ...['[auth]', 'enabled = false', '[storage]', ...storage],
      ...['[backup]', 'local_path = ""', 'default_target = "blobs"'],
      ...['[backup.targets.blobs]', 'type = "azure"', ...blobs.lines],
    ].join('\n')
  for (const path of ['db/m/live.parquet', both, `${both}/below.parquet`])
    await source.place.put(path, Buffer.from(path))
  writeFileSync(`${folder}/arc.toml`, config(['backend = "azure"', ...source.lines]))
  const there = await startTestService(t, { folder })
  const { backup_id } = await there.run('', { include_metadata: false })
  const home = t.testdir({ storage: { db: { m: { 'live.parquet': 'live' } } } })
  writeFileSync(`${home}/arc.toml`, config([`local_path = "${home}/storage"`]))
  const before = hashTree(`${home}/storage`)
  const here = await startTestService(t, { folder: home })
  const restore = { backup_id, confirm: true, restore_metadata: false }
  t.match(await here.run('/restore', { ...restore, all_or_nothing: true }), {
    outcome: 'failed',
    missing_files: 1,
    missing_sample: [{ code: 'PATH_INVALID' }],
  })
  t.same(hashTree(`${home}/storage`), before)
  t.match(await here.run('/restore', restore), { outcome: 'failed', missing_files: 1 })
  t.equal(Object.keys(hashTree(`${home}/storage`)).filter((path) => path.endsWith('.parquet')).length, 2)
})

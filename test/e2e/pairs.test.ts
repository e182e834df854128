import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { type Kind, kinds, placeMaker } from '../support/configured-place.js'
import { copyFixture } from '../support/fixture.js'
import type { Place } from '../support/place.js'
import { type Json, startTestService } from '../support/service.js'

// Arc's data on each kind of store, backed up to each kind of store: as an operator does it, through REST, and as another client sees both ends.

t.setTimeout(600_000)
const part = 8 << 20
const minio = await startMinio(t)
const azurite = await Azurite.start(t)
const makePlace = placeMaker(minio, azurite)

/** What a file may be called, and how large it may be. */
const files: Readonly<Record<string, Buffer>> = {
  'sensors/temp/2026/01/03/07/one part.parquet': randomBytes(part),
  'sensors/temp/2026/01/03/07/a part + 1.parquet': randomBytes(part + 1),
  'sensors/temp/2026/01/03/07/70.parquet': randomBytes(70 << 20),
  'sensors/temp/2026/01/03/08/empty.parquet': Buffer.alloc(0),
  'sensors/temp/2026/01/03/08/100% grün ☂ +plus?.parquet': Buffer.from('odd'),
  [`sensors/temp/2026/01/03/08/${'x'.repeat(192)}.parquet`]: Buffer.from('long'),
  'grid/load/2026/01/03/08/b.parquet': randomBytes(100_000),
  'grid/.arc-database': Buffer.from('{}'),
}
const expected = Object.fromEntries(
  Object.entries(files).map(([path, content]) => [path, createHash('sha256').update(content).digest('hex')]),
)

for (const source of kinds) {
  t.test(`data on ${source}`, async (t) => {
    const folder = t.testdir({})
    copyFixture(folder)
    const storage = await makePlace(t, source)
    const targets: Partial<Record<Kind, Place>> = {}
    const config = [
      ...['[auth]', 'enabled = true', 'db_path = "./data/arc.db"'],
      ...['[storage]', `backend = "${source}"`, ...storage.lines],
      ...['[backup]', 'local_path = ""', 'default_target = "local"'],
    ]
    for (const kind of kinds) {
      const { place, lines } = await makePlace(t, kind)
      targets[kind] = place
      config.push(`[backup.targets.${kind}]`, `type = "${kind}"`, ...lines)
    }
    writeFileSync(`${folder}/arc.toml`, config.join('\n'))
    for (const [path, content] of Object.entries(files)) await storage.place.put(path, content)
    t.same(await storage.place.tree(), expected)
    const { call, run } = await startTestService(t, { folder })

    for (const target of kinds) {
      await t.test(`and backups on ${target}`, async (t) => {
        const place = targets[target] as Place
        const backup = await run('', { target })
        t.match(backup, { outcome: 'completed', target, total_files: 8, processed_files: 8, skipped_files: 0 })
        const id = String(backup.backup_id)
        const backups = (await call('GET', '')).json.backups as Json[]
        t.match(backups, [{ backup_id: id, target, total_files: 7 }], 'it is listed')
        t.match((await call('GET', `/${id}`)).json, { backup_id: id, total_files: 7, has_metadata: true })
        const kept = await place.tree()
        for (const [path, hash] of Object.entries(expected)) t.equal(kept[`${id}/data/${path}`], hash, path.slice(-40))

        await storage.place.remove('grid/load/2026/01/03/08/b.parquet')
        await storage.place.put('sensors/temp/2026/01/03/07/70.parquet', Buffer.from('damaged'))
        await storage.place.put('sensors/temp/2026/01/03/07/extra.parquet', Buffer.from('not in the backup'))
        const restore = await run('/restore', {
          backup_id: id,
          confirm: true,
          mode: 'replace',
          restore_metadata: false,
        })
        t.match(restore, { outcome: 'completed', target, verified: true, missing_files: 0, replaced_files: 1 })
        // Inside one service the bytes need not travel: it shows the recorded hash.
        t.equal(Number(restore.server_side_files ?? 0) > 0, source === 's3' && target === 's3')
        const live = await storage.place.tree()
        // On a file system what was replaced is moved aside, under a name that Arc does not read.
        delete live['.arc-backup.lock.json']
        const aside = Object.keys(live).filter((path) => !(path in expected))
        t.equal(aside.length, source === 'local' ? 1 : 0, `${aside}`)
        for (const path of aside) delete live[path]
        t.same(live, expected, 'every file is as it was')
        for (const path of aside) await storage.place.remove(path)

        t.match(await call('DELETE', `/${id}`), { status: 200 })
        const rest = Object.keys(await place.tree()).filter((path) => path !== '/' && path !== '.arc-backup.lock.json')
        t.same(rest, [], 'nothing is left of it')
        t.same(minio.uploads(), [], 'and no upload in parts')
      })
    }
  })
}

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { type Run, targetStoreName } from '../../src/engine/run.js'
import { writeSidecar } from '../../src/engine/sidecar.js'
import { openStore } from '../../src/stores/open.js'
import { smallFile } from '../../src/stores/store.js'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { onAzurite, onMinio } from './remote-place.js'
import { openScene, poolHere } from './scene.js'

// What is no data is small beside it, and still too large for one request where there is much data.

const minio = await startMinio(t)
const azurite = await Azurite.start(t)

for (const [name, make] of [
  ['MinIO', () => onMinio(minio)],
  ['Azurite', () => onAzurite(azurite)],
] as const) {
  t.test(`a database and a list of files that are no small files, to ${name}`, async (t) => {
    const folder = t.testdir({})
    const path = `${folder}/arc.db`
    const db = new Database(path)
    db.exec('CREATE TABLE audit (detail BLOB)')
    db.prepare('INSERT INTO audit VALUES (randomblob(?))').run(smallFile)
    db.close()
    const { config, place } = await make()
    const scene = openScene(t, { databases: [{ name: 'arc', path }] }, `${folder}/scene`)
    const target = await openStore(config)
    t.teardown(() => target.close())
    const pool = poolHere({
      stores: {
        storage: { kind: 'local', root: scene.storage },
        [targetStoreName('local')]: config,
        state: { kind: 'local', root: scene.settings.statePath },
      },
    })
    const run: Run = { ...scene.open(), target, pool }

    t.equal(await runBackup(run, { includeMetadata: true, includeConfig: false }), 'completed')
    const copy = createHash('sha256')
      .update(readFileSync(`${run.scratch.url}/arc.db`))
      .digest('hex')
    t.equal((await place.tree())[`${run.backupId}/metadata/arc.db`], copy)

    const entry = {
      kind: 'metadata',
      name: 'a',
      path: `metadata/${'a'.repeat(200)}.db`,
      size: 1,
      sha256: copy,
    } as const
    const entries = Math.ceil(smallFile / 300)
    const other: Run = { ...scene.open(), target, pool }
    const { sha256 } = await writeSidecar(other, Array(entries).fill(entry), 0)
    t.ok((await target.stat(`${other.backupId}/manifest-files.json`)).size > smallFile)
    t.equal((await place.tree())[`${other.backupId}/manifest-files.json`], sha256)
  })
}

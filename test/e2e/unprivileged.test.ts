import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { copyFixture } from '../support/fixture.js'
import { Neighbour } from '../support/neighbour.js'
import { asNobody } from '../support/nobody.js'
import { startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

// What the service needs: to read Arc's files, and to write its own folder and the destination. Nothing else is given to it here.

const nobody = 65534

/** Arc's folder, which user nobody may read and not change, and two folders of nobody's own. */
function makeFolders(t: Test) {
  const folder = t.testdir({})
  copyFixture(folder)
  rmSync(`${folder}/data/backups`, { recursive: true })
  writeFileSync(`${folder}/data/arc/metrics/cpu/secret-free.parquet`, 'PAR1')
  for (const path of [folder, ...readdirSync(folder, { recursive: true }).map((name) => `${folder}/${name}`)]) {
    chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644)
  }
  const own = { ARC_BACKUP_LOCAL_PATH: `${folder}/backups`, ARC_BACKUP_STATE_PATH: `${folder}/state` }
  for (const path of Object.values(own)) {
    mkdirSync(path)
    chownSync(path, nobody, nobody)
  }
  return { folder, env: own }
}

async function useAsNobody(t: Test, { folder, env }: { folder: string; env: NodeJS.ProcessEnv }): Promise<void> {
  await asNobody(async () => {
    t.throws(() => writeFileSync(`${folder}/data/arc/metrics/cpu/x.parquet`, ''), { code: 'EACCES' })
    t.throws(() => writeFileSync(`${folder}/data/x`, ''), { code: 'EACCES' })
    const { service, call, run } = await startTestService(t, { folder, env })
    const backup = await run('', { include_config: true })
    t.match(backup, { outcome: 'completed', skipped_files: 0, processed_files: 37, warnings: [] })
    const id = String(backup.backup_id)
    t.match((await call('GET', `/${id}`)).json, { has_metadata: true, has_config: true, total_files: 37 })
    t.match(await run(''), { outcome: 'completed', reused_files: 37 })
    t.equal((await call('POST', `/${id}/verify`, { level: 'deep' })).status, 202)
    for (;;) {
      const { json } = await call('GET', '/operations?limit=1')
      const [last] = json.operations as Record<string, unknown>[]
      if (last?.status === 'running') continue
      t.match(last, { operation: 'verify', outcome: 'failed', damaged_files: 1 }, 'the file that is none')
      break
    }
    t.equal((await call('DELETE', `/${id}`)).status, 200)
    t.match((await call('POST', '/restore', { backup_id: id, confirm: true })).status, 404)
    await service.close()
  })
}

t.test('a backup needs no right but to read, while Arc runs', async (t) => {
  const places = makeFolders(t)
  const arc = new Neighbour(
    `${places.folder}/data/arc.db`,
    `db.pragma('journal_mode = WAL')
     db.exec("CREATE TABLE written (a)")
     say('open'); await ended`,
  )
  t.teardown(() => arc.stop())
  await arc.hear('open')
  const before = hashTree(`${places.folder}/data`)
  t.ok(before['arc.db-wal'], 'what Arc wrote is in its WAL alone')
  await useAsNobody(t, places)
  t.same(hashTree(`${places.folder}/data`), before, 'nothing of Arc has changed')
})

t.test('and where Arc does not run', async (t) => {
  const places = makeFolders(t)
  const before = hashTree(`${places.folder}/data`)
  await useAsNobody(t, places)
  t.same(hashTree(`${places.folder}/data`), before)
})

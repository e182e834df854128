import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import t from 'tap'
import { arcBackupId } from '../support/fixture.js'
import { mountTmpfs } from '../support/mount.js'
import { asNobody } from '../support/nobody.js'
import { startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

const noise = (path: string): boolean => path === 'arc-backup' || /arc\.db-(wal|shm)$/.test(path)

t.test('a storage root that is not there, is a file, or is unreadable', async (t) => {
  const { folder, run } = await startTestService(t)
  const storage = `${folder}/data/arc`
  await run('')
  const backups = readdirSync(`${folder}/data/backups`)
  renameSync(storage, `${storage}.away`)
  t.match(await run(''), { status: 'failed', error: /cannot list .*data\/arc.*does not exist/ })
  writeFileSync(storage, '')
  t.match(await run(''), { status: 'failed', error: /it is a file, not a folder/ })
  rmSync(storage)
  renameSync(`${storage}.away`, storage)
  chmodSync(storage, 0o700)
  for (const path of [folder, `${folder}/data`, `${folder}/data/arc-backup`, `${folder}/data/backups`])
    chownSync(path, 65534, 65534)
  for (const path of readdirSync(`${folder}/data/arc-backup`))
    chownSync(`${folder}/data/arc-backup/${path}`, 65534, 65534)
  t.match(await asNobody(() => run('')), { status: 'failed', error: /cannot (list|stat) .*permission denied/ })
  t.same(readdirSync(`${folder}/data/backups`), backups, 'a failed backup leaves nothing')
})

t.test('a destination without the right to write, or without space', async (t) => {
  const small = mountTmpfs(t, '64k')
  const { run, service } = await startTestService(t, { env: { ARC_BACKUP_LOCAL_PATH: small } })
  t.match(await run(''), { status: 'failed', error: /not enough space/, error_code: 'STORE_FULL' })
  t.same(readdirSync(small), [])
  await service.close()

  const there = await startTestService(t)
  await there.run('')
  const data = `${there.folder}/data`
  for (const path of [there.folder, data, `${data}/arc-backup`]) chownSync(path, 65534, 65534)
  for (const path of readdirSync(`${data}/arc-backup`)) chownSync(`${data}/arc-backup/${path}`, 65534, 65534)
  chmodSync(`${data}/backups`, 0o755)
  const before = hashTree(data, noise)
  t.match(await asNobody(() => there.run('')), { status: 'failed', error: /cannot write .*permission denied/ })
  t.same(hashTree(data, noise), before)
})

t.test('a destination that fills up while files are written', async (t) => {
  const small = mountTmpfs(t, '40m')
  const { run, folder: home, service } = await startTestService(t, { env: { ARC_BACKUP_LOCAL_PATH: small } })
  // Sparse in the source, whole in the copy: the listing says what is needed, so another writer takes the room meanwhile.
  for (const name of ['a', 'b']) {
    writeFileSync(`${home}/data/arc/metrics/cpu/${name}.parquet`, '')
    truncateSync(`${home}/data/arc/metrics/cpu/${name}.parquet`, 10 << 20)
  }
  const writer = setInterval(() => {
    if (readdirSync(small).some((name) => name.startsWith('backup-'))) {
      clearInterval(writer)
      try {
        writeFileSync(`${small}/other`, Buffer.alloc(39 << 20))
      } catch {
        // That there is no more room is the point.
      }
    }
  }, 1)
  const status = await run('')
  clearInterval(writer)
  t.match(status, { status: 'failed', error_code: 'STORE_FULL' })
  t.notOk(
    readdirSync(small).some((name) => name.startsWith('backup-')),
    'a failed backup leaves nothing',
  )
  rmSync(`${small}/other`, { force: true })
  t.match(await run(''), { status: 'completed' }, 'it works again once there is room')
  await service.close()
})

t.test('a restore without room says how much it needs, and that there is a way', async (t) => {
  const small = mountTmpfs(t, '100k')
  const { run, service } = await startTestService(t, { env: { ARC_STORAGE_LOCAL_PATH: small } })
  const refused = await run('/restore', { backup_id: arcBackupId, confirm: true, restore_metadata: false })
  t.match(refused, {
    status: 'failed',
    error_code: 'STORE_FULL',
    error: /147456 bytes in 36 files are needed.*staging: "file"/,
  })
  t.same(readdirSync(small), [])
  await service.close()
})

t.test('one by one where there is no room for all', async (t) => {
  const { folder, run } = await startTestService(t)
  const before = hashTree(`${folder}/data/arc`)
  const { backup_id } = await run('')
  rmSync(`${folder}/data/arc/metrics`, { recursive: true })
  const status = await run('/restore', { backup_id, confirm: true, staging: 'file' })
  t.match(status, { status: 'completed', missing_files: 0 })
  t.same(hashTree(`${folder}/data/arc`), before)
})

t.test('not root and not the owner: refused before the first byte', async (t) => {
  const { folder, run } = await startTestService(t)
  const { backup_id } = await run('')
  await run('/restore', { backup_id, confirm: true })
  const data = `${folder}/data`
  for (const path of [folder, data, `${data}/arc-backup`]) chownSync(path, 65534, 65534)
  for (const path of readdirSync(`${data}/arc-backup`)) chownSync(`${data}/arc-backup/${path}`, 65534, 65534)
  for (const path of readdirSync(`${data}/backups`, { recursive: true }))
    chownSync(`${data}/backups/${path}`, 65534, 65534)
  const before = hashTree(data, noise)
  const status = await asNobody(() => run('/restore', { backup_id, confirm: true }))
  t.match(status, { status: 'failed', error: /belongs to user 0 and this service runs as user 65534/ })
  t.same(hashTree(data, noise), before)
})

t.test('as root, restored files take the owner of the storage root', async (t) => {
  const { folder, run } = await startTestService(t)
  const { backup_id } = await run('')
  const storage = `${folder}/data/arc`
  rmSync(storage, { recursive: true })
  mkdirSync(storage)
  chownSync(storage, 4711, 4712)
  t.match(await run('/restore', { backup_id, confirm: true }), { status: 'completed' })
  for (const path of readdirSync(storage, { recursive: true })) {
    const { uid, gid } = statSync(`${storage}/${path}`)
    t.same([uid, gid], [4711, 4712], String(path))
  }
})

t.test('two services, one state_path: the second learns who has it', async (t) => {
  const { folder } = await startTestService(t)
  cpSync(`${folder}/arc.toml`, `${folder}/second.toml`)
  await t.rejects(startTestService(t, { folder }), { code: 'BUSY', message: new RegExp(`process ${process.pid}`) })
})

import { mkdirSync, symlinkSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'

function load(cwd: string, paths: Record<string, string>) {
  const env = Object.fromEntries(Object.entries(paths).map(([name, path]) => [`ARC_${name}`, path]))
  return loadConfig({ cwd, env })
}

t.test('where the storage is', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '', empty: { 'arc.toml': '[storage]\nlocal_path = ""\n' } })
  const s3 = { STORAGE_S3_BUCKET: 'acme' }
  const azure = { STORAGE_AZURE_CONTAINER: 'arc', STORAGE_AZURE_ACCOUNT_NAME: 'acme', STORAGE_AZURE_ACCOUNT_KEY: 'k' }
  for (const backend of ['s3', 'MinIO']) {
    const { storage } = load(cwd, { STORAGE_BACKEND: backend, ...s3 })
    t.match(storage, { localPath: null, store: { kind: 's3', bucket: 'acme' } })
  }
  for (const backend of [' azure ', 'AzBlob']) {
    const { storage } = load(cwd, { STORAGE_BACKEND: backend, ...azure })
    t.match(storage, { localPath: null, store: { kind: 'azure', container: 'arc' } })
  }
  t.throws(() => load(cwd, { STORAGE_BACKEND: 'tape' }), {
    message: /expected one of "local", "s3", "minio", "azure", "azblob"/,
  })
  const root = `${cwd}/data/arc`
  t.strictSame(load(cwd, { STORAGE_BACKEND: ' LOCAL ' }).storage, { localPath: root, store: { kind: 'local', root } })
  t.throws(() => load(`${cwd}/empty`, {}), { message: /arc.toml:2: storage.local_path is "", expected a path/ })
  t.doesNotThrow(() => load(`${cwd}/empty`, { STORAGE_BACKEND: 's3', ...s3 }), 'it does not matter to an object store')
})

t.test('with an object store no folder is judged by the storage root, and nothing is left out', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '' })
  const env = { STORAGE_BACKEND: 's3', STORAGE_S3_BUCKET: 'acme', STORAGE_LOCAL_PATH: '/etc' }
  const { excluded, warnings, backup } = load(cwd, { ...env, BACKUP_LOCAL_PATH: '/', BACKUP_STATE_PATH: '/var' })
  t.strictSame([excluded, warnings, backup.statePath], [[], [], '/var'])
})

t.test("a system's own folders are no storage; those below /root are", async (t) => {
  const cwd = t.testdir({ 'arc.toml': '' })
  const refused = [
    '/',
    '//',
    '/root',
    '/root/',
    '/etc',
    '/etc/arc',
    '/usr/local/arc',
    '/bin',
    '/sbin',
    '/boot/x',
    '/proc/1',
    '/sys',
    '/dev/shm',
    '/tmp/../etc',
  ]
  for (const path of refused) {
    t.throws(
      () => load(cwd, { STORAGE_LOCAL_PATH: path }),
      { code: 'CONFIG_INVALID', message: /storage.local_path\) is ".*", expected a folder of its own/ },
      path,
    )
  }
  for (const path of ['/root/data', '/etcetera', '/srv/usr', '/rootless']) {
    t.equal(load(cwd, { STORAGE_LOCAL_PATH: path, BACKUP_LOCAL_PATH: '/b' }).storage.localPath, path)
  }
  symlinkSync('/usr', `${cwd}/link`)
  t.throws(() => load(cwd, { STORAGE_LOCAL_PATH: './link/arc' }), { message: /\/usr\/arc belongs to the system/ })
})

t.test('a folder equal to or above the storage root is refused, for backups and for state', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '', data: { arc: {}, state: {} }, other: {} })
  symlinkSync('data', `${cwd}/link`)
  symlinkSync('../data/arc', `${cwd}/other/arc`)
  for (const path of [
    './data/arc',
    './data/arc/',
    './data',
    '.',
    '/',
    './link',
    './link/arc',
    './other/arc',
    './data/arc/../../data',
  ]) {
    for (const name of ['BACKUP_LOCAL_PATH', 'BACKUP_STATE_PATH']) {
      t.throws(
        () => load(cwd, { [name]: path }),
        {
          code: 'CONFIG_INVALID',
          message: /expected a folder that is neither the storage root .*\/data\/arc nor above it/,
        },
        path,
      )
    }
  }
  t.throws(() => load(cwd, { STORAGE_LOCAL_PATH: './link/backups' }), {
    message: /BACKUP|backup.local_path \(the default\)/,
  })
  t.doesNotThrow(() => load(cwd, { BACKUP_LOCAL_PATH: './data/arc2', BACKUP_STATE_PATH: './data/ar' }))
})

t.test('a wrong value of one folder does not bring forth complaints about others', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[storage]\nlocal_path = 5\n[backup]\nlocal_path = "./data/arc"\n' })
  t.throws(() => load(cwd, {}), { message: /^[^\n]*\n[^\n]*storage.local_path is 5[^\n]*$/ })
})

t.test('state and backups are different folders, and state is in no backup', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '', data: {} })
  symlinkSync('data', `${cwd}/link`)
  const id = 'backup-20260101-000000-0123abcd'
  t.throws(() => load(cwd, { BACKUP_STATE_PATH: './data/backups' }), {
    message: /expected another folder than backup.local_path/,
  })
  t.throws(() => load(cwd, { BACKUP_STATE_PATH: './link/backups' }), {
    message: /expected another folder than backup.local_path/,
  })
  for (const path of [id, `${id}/state`, `${id}/a/b/c`]) {
    t.throws(
      () => load(cwd, { BACKUP_STATE_PATH: `./data/backups/${path}` }),
      { message: /expected a folder outside every backup/ },
      path,
    )
  }
  t.doesNotThrow(() => load(cwd, { BACKUP_STATE_PATH: './data/backups/.state' }))
  t.doesNotThrow(() => load(cwd, { BACKUP_STATE_PATH: `./data/backups/.state/${id}` }))
})

t.test('the same for the folder of a named target', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[backup]\ndefault_target = "nas"\n[backup.targets.nas]\ntype = "local"\n' })
  const at = (path: string) => load(cwd, { BACKUP_TARGETS_NAS_LOCAL_PATH: './nas', BACKUP_STATE_PATH: path })
  t.throws(() => at('./nas'), { message: /expected another folder than backup.targets.nas.local_path$/ })
  t.throws(() => at('./nas/backup-20260101-000000-0123abcd/x'), { message: /expected a folder outside every backup/ })
  t.equal(at('./nas/.state').backup.statePath, `${cwd}/nas/.state`)
  t.throws(() => load(cwd, { BACKUP_STATE_PATH: '.' }), {
    message: /^[^\n]*\n[^\n]*nas.local_path is not set[^\n]*\n[^\n]*nor above it$/,
  })
})

t.test("what Arc's packages put inside the storage root is left out, with one warning", async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[iceberg]\nenabled = true\ncatalog_db_path = "./data/iceberg.db"\n' })
  const { excluded, warnings, storage } = load(cwd, { STORAGE_LOCAL_PATH: './data' })
  t.equal(storage.localPath, `${cwd}/data`)
  const names = ['backups', 'arc-backup', 'wal', 'raft', 'compaction']
  const files = ['arc.db', 'iceberg.db'].flatMap((name) => ['', '-wal', '-shm', '-journal'].map((end) => name + end))
  t.strictSame(new Set(excluded), new Set([...names, ...files].map((name) => `${cwd}/data/${name}`)))
  t.equal(excluded.length, new Set(excluded).size)
  t.equal(warnings.length, 1)
  t.match(
    warnings[0],
    `these lie inside storage.local_path (${cwd}/data) and are left out of every backup: ${cwd}/data/backups, `,
  )
  t.notMatch(warnings[0], '-wal,')
})

t.test(
  'every local target inside the storage root is left out, and backup.local_path also where it is no target',
  async (t) => {
    const toml =
      '[storage]\nlocal_path = "./data"\n[backup]\ndefault_target = "local"\nlocal_path = "./data/old"\nstate_path = "./state"\n' +
      '[backup.targets.local]\ntype = "local"\nlocal_path = "./data/new"\n'
    const { excluded } = load(t.testdir({ 'arc.toml': toml }), {})
    t.strictSame(
      excluded.map((path) => path.slice(-4)).filter((name) => name === '/old' || name === '/new'),
      ['/new', '/old'],
    )
  },
)

t.test('what lies outside the storage root, or is not set, is not left out', async (t) => {
  const cwd = t.testdir({
    'arc.toml':
      '[wal]\ndirectory = ""\n[database]\ntemp_directory = "./data/arc/tmp"\n[compaction]\ntemp_directory = "./data/arc"\n',
  })
  const { excluded, warnings } = load(cwd, {})
  t.strictSame(excluded, [`${cwd}/data/arc/tmp`])
  t.equal(warnings.length, 1)
})

t.test('links: what counts is where things really lie', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '', disk: {}, real: {} })
  mkdirSync(`${cwd}/real/arc/b`, { recursive: true })
  symlinkSync('real', `${cwd}/data`)
  symlinkSync('real/arc/b', `${cwd}/in`)
  symlinkSync('../../disk', `${cwd}/real/arc/out`)
  const inside = load(cwd, { BACKUP_LOCAL_PATH: './in' })
  t.equal(inside.storage.localPath, `${cwd}/real/arc`)
  t.strictSame(
    [inside.backup.defaultTarget.store, inside.excluded],
    [{ kind: 'local', root: `${cwd}/real/arc/b` }, [`${cwd}/real/arc/b`]],
  )
  const outside = load(cwd, { BACKUP_LOCAL_PATH: './data/arc/out/backups' })
  t.strictSame(
    [outside.backup.defaultTarget.store, outside.excluded],
    [{ kind: 'local', root: `${cwd}/disk/backups` }, []],
  )
})

import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { arcBackupId } from '../support/fixture.js'
import { type Json, startTestService, type TestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

interface Scene extends TestService {
  readonly id: string
  readonly backup: string
  readonly storage: string
  /** Some data file of the backup. */
  readonly victim: string
}

/** A service with a whole backup, and a live file that a restore would change. */
async function scene(t: Test): Promise<Scene> {
  const service = await startTestService(t)
  const id = String((await service.run('')).backup_id)
  const storage = `${service.folder}/data/arc`
  const victim = 'alpha_iot/cpu/2026/01/01/02'
  const name = readdirSync(`${storage}/${victim}`)[0]
  writeFileSync(`${storage}/${victim}/${name}`, 'newer than the backup')
  return { ...service, id, backup: `${service.folder}/data/backups/${id}`, storage, victim: `${victim}/${name}` }
}

/** Everything but our own records. */
function snapshot({ folder }: Scene): Record<string, string> {
  return hashTree(
    `${folder}/data`,
    (path) => path === 'arc-backup' || path === 'backups' || /arc\.db-(wal|shm)$/.test(path),
  )
}

/** A manifest that vouches for whatever the sidecar is now: for damage that no checksum shows. */
function sealAnew(scene: Scene, change: (sidecar: { files: Json[]; other_files: Json[] }) => void): void {
  const path = `${scene.backup}/manifest-files.json`
  const sidecar = JSON.parse(readFileSync(path, 'utf8')) as { files: Json[]; other_files: Json[] }
  change(sidecar)
  const text = JSON.stringify(sidecar)
  writeFileSync(path, text)
  const { checksum: _, ...manifest } = JSON.parse(readFileSync(`${scene.backup}/manifest.json`, 'utf8')) as Json
  manifest.sidecar = {
    path: 'manifest-files.json',
    sha256: sha256(text),
    entries: sidecar.files.length + sidecar.other_files.length,
  }
  const sealed = { ...manifest, checksum: sha256(JSON.stringify(manifest, null, 2)) }
  writeFileSync(`${scene.backup}/manifest.json`, JSON.stringify(sealed, null, 2))
}

function sha256(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex')
}

function flipBit(path: string): void {
  const content = readFileSync(path)
  content[content.length >> 1] = (content[content.length >> 1] ?? 0) ^ 4
  writeFileSync(path, content)
}

const lost: Record<string, (scene: Scene) => void> = {
  'a flipped bit': ({ backup, victim }) => flipBit(`${backup}/data/${victim}`),
  'a truncated file': ({ backup, victim }) => truncateSync(`${backup}/data/${victim}`, 100),
  'a missing file': ({ backup, victim }) => rmSync(`${backup}/data/${victim}`),
}

for (const [name, damage] of Object.entries(lost)) {
  t.test(`${name}: the rest is restored, the file is named, its live copy stays`, async (t) => {
    const here = await scene(t)
    damage(here)
    const other = here.victim.replace('/02/', '/03/').replace(/[^/]+$/, '')
    rmSync(`${here.storage}/${other}`, { recursive: true })
    const status = await here.run('/restore', { backup_id: here.id, confirm: true })
    t.match(status, {
      status: 'failed',
      outcome: 'failed',
      missing_files: 1,
      missing_sample: [{ path: new RegExp(here.victim) }],
    })
    t.match(status.error, /1 of 36 files are missing or damaged/)
    t.equal(readFileSync(`${here.storage}/${here.victim}`, 'utf8'), 'newer than the backup')
    t.equal(readdirSync(`${here.storage}/${other}`).length, 1)
  })

  t.test(`${name}, all or nothing: nothing changes`, async (t) => {
    const here = await scene(t)
    damage(here)
    const before = snapshot(here)
    const status = await here.run('/restore', { backup_id: here.id, confirm: true, all_or_nothing: true })
    t.match(status, { status: 'failed', missing_files: 1 })
    t.same(snapshot(here), before)
  })
}

const refused: Record<string, { damage: (scene: Scene) => void; error: RegExp }> = {
  'a sidecar with a flipped bit': {
    damage: ({ backup }) => flipBit(`${backup}/manifest-files.json`),
    error: /manifest-files\.json/,
  },
  'a missing sidecar': { damage: ({ backup }) => rmSync(`${backup}/manifest-files.json`), error: /missing/ },
  'a truncated sidecar': {
    damage: ({ backup }) => truncateSync(`${backup}/manifest-files.json`, 3000),
    error: /manifest-files\.json/,
  },
  'a sidecar that leads out of the root': {
    damage: (here) =>
      sealAnew(here, ({ files }) => {
        files.push({ ...files[0], path: '../../../../../tmp/escaped' })
      }),
    error: /"\.\." segments/,
  },
  'a sidecar with an absolute path': {
    damage: (here) =>
      sealAnew(here, ({ files }) => {
        files.push({ ...files[0], path: '/etc/x' })
      }),
    error: /relative/,
  },
  'a sidecar with NUL': {
    damage: (here) =>
      sealAnew(here, ({ files }) => {
        files.push({ ...files[0], path: 'a\0b' })
      }),
    error: /NUL/,
  },
  'a file named twice': {
    damage: (here) =>
      sealAnew(here, ({ files }) => {
        files.push({ ...files[0] })
      }),
    error: /twice/,
  },
  'a link in place of a file': {
    damage: ({ backup, victim }) => {
      rmSync(`${backup}/data/${victim}`)
      symlinkSync('/etc/passwd', `${backup}/data/${victim}`)
    },
    error: /not a regular file/,
  },
  'a link in place of a folder': {
    damage: ({ backup }) => {
      renameSync(`${backup}/data/alpha_iot/cpu`, `${backup}/elsewhere`)
      symlinkSync(`${backup}/elsewhere`, `${backup}/data/alpha_iot/cpu`)
    },
    error: /not a real folder/,
  },
  'a live folder that is a link': {
    damage: ({ storage, folder }) => {
      renameSync(`${storage}/alpha_iot/cpu`, `${folder}/elsewhere`)
      symlinkSync(`${folder}/elsewhere`, `${storage}/alpha_iot/cpu`)
    },
    error: /not a real folder/,
  },
  'an arc.db that is not SQLite, with its hash': {
    damage: (here) => {
      writeFileSync(`${here.backup}/metadata/arc.db`, 'not a database at all')
      sealAnew(here, ({ other_files }) => {
        const entry = other_files.find(({ path }) => path === 'metadata/arc.db')
        Object.assign(entry ?? {}, { size_bytes: 21, sha256: sha256('not a database at all') })
      })
    },
    error: /not a SQLite database/,
  },
  'an arc.db with pages of another size': {
    damage: (here) => {
      const path = `${here.backup}/metadata/arc.db`
      const db = new Database(path)
      db.pragma('page_size = 8192')
      db.exec('VACUUM')
      db.close()
      const content = readFileSync(path)
      sealAnew(here, ({ other_files }) => {
        const entry = other_files.find(({ path }) => path === 'metadata/arc.db')
        Object.assign(entry ?? {}, { size_bytes: content.length, sha256: sha256(content) })
      })
    },
    error: /pages of 8192 bytes, the live database of 4096/,
  },
  'an arc.db with another hash': {
    damage: ({ backup }) => flipBit(`${backup}/metadata/arc.db`),
    error: /SHA-256/,
  },
}

for (const [name, { damage, error }] of Object.entries(refused)) {
  t.test(`${name} refuses the restore before anything changes`, async (t) => {
    const here = await scene(t)
    damage(here)
    const before = snapshot(here)
    const status = await here.run('/restore', { backup_id: here.id, confirm: true })
    t.match(status, { status: 'failed', outcome: 'failed' })
    t.match(status.error, error)
    t.same(snapshot(here), before)
  })
}

t.test('where files of a database are missing, replace moves nothing aside in it', async (t) => {
  const here = await scene(t)
  rmSync(`${here.backup}/data/${here.victim}`)
  const newer = ['alpha_iot/cpu/2026/01/01/05/newer.parquet', 'metrics/cpu/2026/01/01/05/newer.parquet']
  for (const path of newer) writeFileSync(`${here.storage}/${path}`, path)
  const status = await here.run('/restore', { backup_id: here.id, confirm: true, mode: 'replace' })
  t.match(status, { status: 'failed', missing_files: 1, kept_files: 1, replaced_files: 1 })
  t.match((status.warnings as string[]).join(), /nothing was moved aside in alpha_iot, because files of the backup are/)
  t.same(
    newer.map((path) => existsSync(`${here.storage}/${path}`)),
    [true, false],
  )
})

t.test('a configuration that could not be loaded is refused before anything changes', async (t) => {
  const here = await scene(t)
  const text = '[storage]\nlocal_path = "/"\n'
  writeFileSync(`${here.backup}/config/arc.toml`, text)
  sealAnew(here, ({ other_files }) => {
    const entry = other_files.find(({ path }) => path === 'config/arc.toml')
    Object.assign(entry ?? {}, { size_bytes: text.length, sha256: sha256(text) })
  })
  const before = snapshot(here)
  const status = await here.run('/restore', { backup_id: here.id, confirm: true, restore_config: true })
  t.match(status, { status: 'failed', error: /storage\.local_path/ })
  t.same(snapshot(here), before)
})

t.test('a manifest that is not JSON, or was edited, is no backup to restore', async (t) => {
  const here = await scene(t)
  const path = `${here.backup}/manifest.json`
  const before = snapshot(here)
  for (const text of ['{"backup_id": ', readFileSync(path, 'utf8').replace('"total_files": 36', '"total_files": 35')]) {
    writeFileSync(path, text)
    const answer = await here.call('POST', '/restore', { backup_id: here.id, confirm: true })
    t.equal(answer.status, 500)
    t.match(answer.json.error, /manifest/)
    const { json: list } = await here.call('GET', '')
    t.match(list, { count: 1, backups: [{ backup_id: arcBackupId }] })
    t.match((list.warnings as string[]).join(), new RegExp(here.id))
  }
  t.same(snapshot(here), before)
})

t.test('a file that the backup does not vouch for is not restored', async (t) => {
  const here = await scene(t)
  writeFileSync(`${here.backup}/data/alpha_iot/cpu/2026/01/01/02/extra.parquet`, 'slipped in')
  const status = await here.run('/restore', { backup_id: here.id, confirm: true })
  t.match(status, { status: 'completed', missing_files: 0 })
  t.notOk(readdirSync(`${here.storage}/alpha_iot/cpu/2026/01/01/02`).includes('extra.parquet'))
})

t.test("Arc's own backup has no hashes: its counts and sizes are checked", async (t) => {
  const here = await scene(t)
  const data = `${here.folder}/data/backups/${arcBackupId}/data`
  rmSync(`${data}/${here.victim}`)
  mkdirSync(`${data}/metrics/mem/2026/01/01/09`)
  appendFileSync(`${data}/metrics/mem/2026/01/01/09/extra.parquet`, 'x')
  const status = await here.run('/restore', { backup_id: arcBackupId, confirm: true })
  t.match(status, { status: 'failed', verified: false, missing_files: 2 })
  t.match(status.missing_sample, [{ path: 'metrics/mem' }, { path: 'alpha_iot/cpu' }])
})

t.test(
  "what Arc's own manifest says is there beside the data, and is not or is a link, refuses the restore",
  async (t) => {
    const here = await scene(t)
    const backup = `${here.folder}/data/backups/${arcBackupId}`
    for (const [path, part] of [
      ['metadata/arc.db', { restore_metadata: true }],
      ['config/arc.toml', { restore_metadata: false, restore_config: true }],
    ] as const) {
      renameSync(`${backup}/${path}`, `${here.folder}/kept`)
      for (const link of [false, true]) {
        if (link) symlinkSync(`${here.folder}/kept`, `${backup}/${path}`)
        const before = snapshot(here)
        const status = await here.run('/restore', { backup_id: arcBackupId, confirm: true, ...part })
        t.match(status, { status: 'failed', error_code: 'INTEGRITY', error: new RegExp(`lacks ${path}`) })
        t.same(snapshot(here), before)
      }
      rmSync(`${backup}/${path}`)
      const rest = { restore_metadata: false, restore_config: false }
      t.match(await here.run('/restore', { backup_id: arcBackupId, confirm: true, ...rest }), { status: 'completed' })
      renameSync(`${here.folder}/kept`, `${backup}/${path}`)
    }
  },
)

t.test("what Arc's own manifest counts and its backup lacks is counted to the last file", async (t) => {
  const here = await scene(t)
  const file = `${here.folder}/data/backups/${arcBackupId}/manifest.json`
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { databases: { measurements: { file_count: number }[] }[] }
  const [first, second] = manifest.databases.flatMap(({ measurements }) => measurements)
  if (!first || !second) throw new Error('the fixture has changed')
  first.file_count += 100
  second.file_count += 7
  writeFileSync(file, JSON.stringify(manifest))
  const status = await here.run('/restore', { backup_id: arcBackupId, confirm: true })
  t.match(status, { status: 'failed', missing_files: 107 })
  t.equal((status.missing_sample as unknown[]).length, 2)
})

import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { copyFixture } from '../support/fixture.js'
import { mountTmpfs } from '../support/mount.js'
import { type Json, startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

// Disks with a little more room each time: whatever is written when the room ends, the operation fails, says so, leaves live data alone, and works once there is room.

t.setTimeout(600_000)

/** Leaves so many KiB free. */
function fill(disk: string, kib: number): void {
  rmSync(`${disk}/filler`, { force: true })
  const size = freeKib(disk) - kib
  // Memory is handed out to a processor in lots: the last pages may be with the other one.
  for (let lacking = 0; size > lacking; lacking += 4) {
    try {
      writeFileSync(`${disk}/filler`, Buffer.alloc((size - lacking) * 1024))
      return
    } catch {
      // A little less, then.
    }
  }
}

function freeKib(disk: string): number {
  const { bavail, bsize } = statfsSync(disk)
  return (bavail * bsize) / 1024
}

const noise = (path: string): boolean => /^(arc-backup|backups)$|arc\.db-(wal|shm)$|\.arc-backup\.lock/.test(path)

/** The phase in which it ended. */
function lastPhase({ phase_ms }: Json): string {
  return Object.keys(phase_ms as Json).at(-1) ?? ''
}

const backupsIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('backup-'))

/** Makes Arc's database so many KiB larger. */
function growDatabase(folder: string, kib: number): void {
  const db = new Database(`${folder}/data/arc.db`)
  db.exec(`CREATE TABLE filler (content BLOB); INSERT INTO filler VALUES (zeroblob(${kib} << 10))`)
  db.close()
}

t.test('a target without room, from the first byte to the manifest', async (t) => {
  const disk = mountTmpfs(t, '40m')
  const { folder, run, service } = await startTestService(t, { env: { ARC_BACKUP_LOCAL_PATH: disk } })
  // More than the room that is kept for it.
  growDatabase(folder, 20 << 10)
  const before = hashTree(`${folder}/data`, noise)
  const empty = freeKib(disk)
  const { backup_id } = await run('', { include_config: true })
  const needed = empty - freeKib(disk)
  const phases = new Set<string>()
  for (const room of [
    0,
    8,
    64,
    17 << 10,
    needed - 4096,
    ...Array.from({ length: 12 }, (_, step) => needed - 4 * (11 - step)),
  ]) {
    rmSync(`${disk}/${backup_id}`, { recursive: true, force: true })
    fill(disk, room)
    const status = await run('', { include_config: true })
    if (status.outcome === 'completed') {
      for (const id of backupsIn(disk)) rmSync(`${disk}/${id}`, { recursive: true })
      continue
    }
    t.match(
      status,
      { error_code: 'STORE_FULL', error: /not enough space .* are needed|no space left|disk is full/ },
      `${room} KiB`,
    )
    t.same(backupsIn(disk), [], `${room} KiB: nothing is left`)
    phases.add(lastPhase(status))
  }
  t.same([...phases].sort(), ['copying', 'listing', 'metadata', 'sealing'])
  rmSync(`${disk}/filler`)
  t.match(await run('', { include_config: true }), { outcome: 'completed' }, 'it works again')
  t.same(hashTree(`${folder}/data`, noise), before)
  await service.close()
})

t.test('no room for this service’s own records', async (t) => {
  const disk = mountTmpfs(t, '8m')
  const { folder, run, call, settled, service } = await startTestService(t, { env: { ARC_BACKUP_STATE_PATH: disk } })
  // More than what an operation may begin with, whatever its records need this time.
  growDatabase(folder, 300)
  const backups = `${folder}/data/backups`
  const { backup_id } = await run('', { include_config: true })
  const before = hashTree(`${folder}/data`, noise)
  const known = backupsIn(backups)
  const phases = new Set<string>()
  let last = ''
  for (let room = 0; last !== 'completed'; room += room < 600 ? 24 : 64) {
    fill(disk, room)
    const started = await call('POST', '', { include_config: true })
    if (started.status !== 202) {
      t.match(started, { status: 507, json: { error: /cannot write .*state_path.*no space left.*bytes are free/ } })
      phases.add('request')
      continue
    }
    const status = await settled()
    last = String(status.outcome)
    if (last === 'completed') break
    t.match(status, { outcome: 'failed', error_code: 'STORE_FULL', error: /space|full/ }, `${room} KiB`)
    t.same(backupsIn(backups), known, `${room} KiB: nothing is left`)
    phases.add(lastPhase(status))
  }
  t.ok(phases.size > 2, [...phases].join())
  rmSync(`${disk}/filler`)

  const restored = new Set<string>()
  const live = `${folder}/data/arc`
  last = ''
  for (let room = 0; last !== 'completed'; room += room < 600 ? 24 : 64) {
    fill(disk, room)
    const started = await call('POST', '/restore', { backup_id, confirm: true, restore_config: true })
    if (started.status !== 202) {
      t.match(started, { status: 507 })
      restored.add('request')
      continue
    }
    const status = await settled()
    last = String(status.outcome)
    if (last === 'completed') break
    t.match(status, { outcome: 'failed', error_code: 'STORE_FULL', error: /space|full/ }, `${room} KiB`)
    t.same(hashTree(`${folder}/data`, noise), before, `${room} KiB: nothing has changed`)
    restored.add(lastPhase(status))
  }
  t.ok(restored.size > 1, [...restored].join())
  rmSync(`${disk}/filler`)
  t.match(await run('/restore', { backup_id, confirm: true }), { outcome: 'completed', missing_files: 0 })
  t.ok(readdirSync(live).length > 0)
  await service.close()
})

t.test('an Arc whose disk is full: a restore changes nothing until it has room for all of it', async (t) => {
  const disk = mountTmpfs(t, '96m')
  const aside = t.testdir({})
  const places = { ARC_BACKUP_LOCAL_PATH: `${aside}/backups`, ARC_BACKUP_STATE_PATH: `${aside}/state` }
  copyFixture(disk)
  growDatabase(disk, 20 << 10)
  const { run, service } = await startTestService(t, { folder: disk, env: places })
  const { backup_id } = await run('', { include_config: true })
  const whole = hashTree(`${disk}/data/arc`, noise)
  for (const path of Object.keys(whole).slice(0, 20)) writeFileSync(`${disk}/data/arc/${path}`, 'damaged')
  const before = hashTree(disk, (path) => path === 'filler' || noise(path))
  const phases = new Set<string>()
  let outcome: unknown
  for (let room = 0; outcome !== 'completed'; room += room < 300 ? 20 : 4 << 10) {
    fill(disk, room)
    const status = await run('/restore', { backup_id, confirm: true, restore_config: true })
    outcome = status.outcome
    if (outcome === 'completed') break
    t.match(status, { error_code: 'STORE_FULL', error: /not enough space .* are needed|no space left/ }, `${room} KiB`)
    phases.add(lastPhase(status))
    t.same(
      hashTree(disk, (path) => path === 'filler' || noise(path)),
      before,
      `${room} KiB: nothing has changed`,
    )
  }
  t.same([...phases].sort(), ['checking', 'syncing'])
  t.same(hashTree(`${disk}/data/arc`, noise), whole)
  await service.close()
})

t.test('a restore of what is in place already needs no room, of what differs only room for that', async (t) => {
  const disk = mountTmpfs(t, '32m')
  const aside = t.testdir({})
  const places = { ARC_BACKUP_LOCAL_PATH: `${aside}/backups`, ARC_BACKUP_STATE_PATH: `${aside}/state` }
  copyFixture(disk)
  const large = Array.from({ length: 5 }, (_, index) => `${disk}/data/arc/metrics/large/2026/01/03/0${index}/a.parquet`)
  for (const [index, path] of large.entries()) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, Buffer.alloc(4 << 20, index))
  }
  const { run, call, service } = await startTestService(t, { folder: disk, env: places })
  const { backup_id, total_files: files } = await run('')
  const whole = hashTree(`${disk}/data/arc`, noise)
  const restore = { backup_id, restore_metadata: false }
  const plan = await call('POST', '/restore', { ...restore, dry_run: true })
  t.match(plan.json, { space: { sufficient: true, needed_bytes: 0, needed_files: 0 } })
  t.match(await run('/restore', { ...restore, confirm: true }), { outcome: 'completed', unchanged_files: files })

  rmSync(large[0] ?? '')
  writeFileSync(large[1] ?? '', 'damaged')
  const differing = await call('POST', '/restore', { ...restore, dry_run: true })
  t.match(differing.json, { space: { sufficient: true, needed_bytes: 8 << 20, needed_files: 2 } })
  const unchanged_files = Number(files) - 2
  t.match(await run('/restore', { ...restore, confirm: true }), { outcome: 'completed', unchanged_files })
  t.same(hashTree(`${disk}/data/arc`, noise), whole)

  for (const path of large) writeFileSync(path, Buffer.alloc(4 << 20, 'x'))
  const before = hashTree(`${disk}/data/arc`, noise)
  t.match(await run('/restore', { ...restore, confirm: true }), { error_code: 'STORE_FULL' }, 'only reading tells')
  t.same(hashTree(`${disk}/data/arc`, noise), before)
  await service.close()
})

t.test('a backup is deleted although its disk is full', async (t) => {
  const disk = mountTmpfs(t, '24m')
  const { run, call, service } = await startTestService(t, { env: { ARC_BACKUP_LOCAL_PATH: disk } })
  const { backup_id } = await run('')
  for (let tries = 0; tries < 10 && freeKib(disk) > 0; tries += 1) fill(disk, 0)
  t.equal(freeKib(disk), 0)
  t.match(await call('DELETE', `/${backup_id}`), { status: 200 })
  t.same(readdirSync(disk), ['filler'])
  await service.close()
})

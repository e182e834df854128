import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { serializeMarker } from '../../src/format/marker.js'
import { arcBackupId, copyFixture } from '../support/fixture.js'
import { hashTree } from '../support/tree.js'
import { end, makeFolder, type Served, serve } from './served.js'

t.setTimeout(600_000)

const large = 48 << 20

/** A backup that is under way, with some of its large files copied. */
async function halfBackup(t: Test, env: NodeJS.ProcessEnv = {}): Promise<{ served: Served; id: string; own: string }> {
  // One file after another, and no faster than it is looked at.
  const steady = { ARC_BACKUP_WORKERS: '1', ARC_BACKUP_BANDWIDTH_LIMIT: '48MB/s' }
  const served = await serve(t, makeFolder(t, large), { ...steady, ...env })
  const { backup_id } = await served.call('POST', '')
  for (;;) {
    const { processed_bytes, status } = await served.call('GET', '/status')
    if (status !== 'running') throw new Error('too fast')
    if (Number(processed_bytes) > 2 * large) break
    await sleep(2)
  }
  const id = String(backup_id)
  return { served, id, own: `${served.folder}/data/backups/${id}` }
}

function without(tree: Record<string, string>, pattern: RegExp): Record<string, string> {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => !pattern.test(path)))
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`a backup after ${signal}: it goes on under its own id from where it stood`, async (t) => {
    const { served, id, own } = await halfBackup(t)
    await end(served, signal)
    t.notOk(readdirSync(own).includes('manifest.json'))
    t.ok(readdirSync(own).includes('.arc-backup.json'), 'the folder says whose it is')
    const copied = readdirSync(`${own}/data/metrics/cpu`)
      .map((name) => ({ name, ...statSync(`${own}/data/metrics/cpu/${name}`) }))
      .filter(({ name, size }) => name.startsWith('big') && size === large)
    const again = await serve(t, served.folder)
    t.match(await again.settled(1), { backup_id: id, outcome: 'completed', resumes: 1, skipped_files: 0 })
    const data = `${served.folder}/data`
    t.same(hashTree(`${own}/data`), hashTree(`${data}/arc`))
    const kept = copied.filter(({ name, ino }) => statSync(`${own}/data/metrics/cpu/${name}`).ino === ino)
    t.ok(kept.length > 0, 'what was copied and on record was not copied again')
    t.notOk(readdirSync(own).includes('.arc-backup.json'))
    t.same(readdirSync(`${data}/arc-backup/operations`), [])
    const { backups } = (await again.call('GET', '')) as { backups: { backup_id: string }[] }
    t.same(backups.map(({ backup_id }) => backup_id).sort(), [arcBackupId, id].sort())
    await end(again, 'SIGTERM')
  })
}

t.test('what the source changed meanwhile is copied again; what it lost is gone', async (t) => {
  const { served, id, own } = await halfBackup(t)
  await end(served, 'SIGKILL')
  const cpu = `${served.folder}/data/arc/metrics/cpu`
  for (let index = 0; index < 6; index += 1) {
    if (index < 3) writeFileSync(`${cpu}/big${index}.parquet`, Buffer.alloc(large, 99))
    else rmSync(`${cpu}/big${index}.parquet`)
  }
  writeFileSync(`${cpu}/new.parquet`, 'new')
  const again = await serve(t, served.folder)
  t.match(await again.settled(1), { backup_id: id, outcome: 'completed' })
  t.same(hashTree(`${own}/data`), hashTree(`${served.folder}/data/arc`))
  const restored = await again.call('POST', '/restore', { backup_id: id, confirm: true, mode: 'replace' })
  t.match(restored, { status: 'running' })
  t.match(await again.settled(), { outcome: 'completed', verified: true })
  await end(again, 'SIGTERM')
})

t.test('after a restart of the machine a size proves nothing', async (t) => {
  const { served, id, own } = await halfBackup(t)
  await end(served, 'SIGKILL')
  const state = `${served.folder}/data/arc-backup`
  const { default: Database } = await import('better-sqlite3')
  const journal = new Database(`${state}/journal.db`)
  journal.exec("UPDATE operations SET boot = 'another'")
  journal.close()
  const copied = readdirSync(`${own}/data/metrics/cpu`).filter(
    (name) => name.startsWith('big') && statSync(`${own}/data/metrics/cpu/${name}`).size === large,
  )
  t.ok(copied.length > 0)
  // As a power cut leaves files that were never synced.
  for (const name of copied) writeFileSync(`${own}/data/metrics/cpu/${name}`, Buffer.alloc(large, 77))
  const again = await serve(t, served.folder)
  t.match(await again.settled(1), { backup_id: id, outcome: 'completed', resumes: 1 })
  t.same(hashTree(`${own}/data`), hashTree(`${served.folder}/data/arc`))
  await end(again, 'SIGTERM')
})

t.test('on_interrupt = "clean": nothing is left of it, at once or after the next start', async (t) => {
  const clean = { ARC_BACKUP_ON_INTERRUPT: 'clean' }
  const { served, own } = await halfBackup(t, clean)
  await end(served, 'SIGKILL')
  t.ok(readdirSync(own).length > 0)
  const again = await serve(t, served.folder, clean)
  while (readdirSync(`${served.folder}/data/backups`).length > 1) await sleep(10)
  t.same(readdirSync(`${served.folder}/data/backups`), [arcBackupId])
  t.match(await again.call('GET', '/status'), { status: 'failed', outcome: 'interrupted', error: /was killed/ })
  await end(again, 'SIGTERM')
})

for (const ARC_BACKUP_ON_INTERRUPT of ['resume', 'clean']) {
  t.test(
    `a backup killed after its commit is whole, whatever has become of its source ("${ARC_BACKUP_ON_INTERRUPT}")`,
    async (t) => {
      const folder = t.testdir({})
      copyFixture(folder)
      const first = await serve(t, folder)
      const { backup_id, operation_id } = await first.call('POST', '')
      t.match(await first.settled(), { outcome: 'completed' })
      await end(first, 'SIGTERM')
      const own = `${folder}/data/backups/${backup_id}`
      const before = hashTree(own)
      // As a power cut leaves it between the commit and the record of the end; and the disk with the source did not come back.
      const { default: Database } = await import('better-sqlite3')
      const state = `${folder}/data/arc-backup`
      const journal = new Database(`${state}/journal.db`)
      const instance = journal.prepare('SELECT id FROM instance').pluck().get() as string
      journal.exec(
        `UPDATE operations SET state = 1, boot = 'before', status = json_set(status, '$.status', 'running', '$.outcome', NULL)`,
      )
      journal.close()
      mkdirSync(`${state}/operations/${operation_id}`)
      const marker = {
        instance,
        operation: String(operation_id),
        kind: 'backup',
        host: 'here',
        since: '2026-11-23T10:30:00Z',
      } as const
      writeFileSync(`${own}/.arc-backup.json`, serializeMarker(marker))
      rmSync(`${folder}/data/arc`, { recursive: true })

      const second = await serve(t, folder, { ARC_BACKUP_ON_INTERRUPT })
      const ended = await second.settled(1)
      t.match(ended, { operation_id, backup_id, status: 'completed', outcome: 'completed', error: undefined })
      t.ok(Number(ended.total_files) > 0)
      t.same(hashTree(own), before, 'and the marker is gone')
      const { backups } = (await second.call('GET', '')) as { backups: { backup_id: string }[] }
      t.ok(backups.some((backup) => backup.backup_id === backup_id))
      await end(second, 'SIGTERM')
    },
  )
}

t.test('a backup that is interrupted again and again without getting further is given up', async (t) => {
  const { served, own } = await halfBackup(t)
  await end(served, 'SIGKILL')
  const state = `${served.folder}/data/arc-backup`
  const { default: Database } = await import('better-sqlite3')
  const journal = new Database(`${state}/journal.db`)
  journal.exec('UPDATE operations SET stalls = 2, most_bytes = 1e15')
  journal.close()
  const again = await serve(t, served.folder)
  t.match(await again.settled(1), { status: 'failed', outcome: 'failed', error: /interrupted 3 times in a row/ })
  t.throws(() => readdirSync(own), { code: 'ENOENT' }, 'nothing is left of it')
  await end(again, 'SIGTERM')
})

t.test('a restore that had changed nothing waits, and is started over or given up', async (t) => {
  const folder = makeFolder(t)
  const first = await serve(t, folder)
  const { backup_id } = await first.call('POST', '')
  await first.settled()
  rmSync(`${folder}/data/arc/metrics/cpu`, { recursive: true })
  const before = hashTree(`${folder}/data/arc`)
  const { operation_id } = await first.call('POST', '/restore', { backup_id, confirm: true, restore_metadata: false })
  await first.reach('staging')
  await end(first, 'SIGKILL')

  const second = await serve(t, folder)
  await sleep(300)
  t.match(await second.call('GET', `/operations/${operation_id}`), { outcome: 'interrupted', resumable: true })
  t.match(await second.call('POST', '/operations/ffffffffffff/resume'), { error: 'Operation not found' })
  t.match(await second.call('POST', `/operations/${operation_id}/resume`), { operation_id, status: 'running' })
  t.match(await second.settled(), { operation: 'restore', outcome: 'completed', resumes: 1, verified: true })
  t.same(hashTree(`${folder}/data/arc`), hashTree(`${folder}/data/backups/${backup_id}/data`))
  t.match(await second.call('POST', `/operations/${operation_id}/resume`), { error: /was not interrupted/ })

  rmSync(`${folder}/data/arc/metrics/cpu`, { recursive: true })
  const { operation_id: other } = await second.call('POST', '/restore', { backup_id, confirm: true })
  await second.reach('staging')
  await end(second, 'SIGKILL')
  const third = await serve(t, folder)
  t.match(await third.call('POST', `/operations/${other}/discard`), { operation_id: other })
  t.same(hashTree(`${folder}/data/arc`), before, 'hidden files and the folders made for them are gone')
  t.match(await third.call('GET', `/operations/${other}`), { outcome: 'cancelled', resumable: false })
  t.same(readdirSync(`${folder}/data/arc-backup/operations`), [])
  await end(third, 'SIGTERM')
})

t.test('a restore that had begun its switch is finished, whichever name was the last', async (t) => {
  const folder = t.testdir({})
  const arc = `${folder}/data/arc`
  mkdirSync(`${arc}/db/m/2026/01/03/08`, { recursive: true })
  const files = 16_000
  for (let index = 0; index < files; index += 1) writeFileSync(`${arc}/db/m/2026/01/03/08/${index}.parquet`, `${index}`)
  writeFileSync(`${folder}/arc.toml`, '[auth]\nenabled = false\n')
  const first = await serve(t, folder)
  const { backup_id } = await first.call('POST', '')
  t.match(await first.settled(), { outcome: 'completed' })
  const expected = hashTree(`${arc}/db`)
  for (let index = 0; index < files; index += 2) writeFileSync(`${arc}/db/m/2026/01/03/08/${index}.parquet`, 'damaged')
  writeFileSync(`${arc}/db/m/2026/01/03/08/extra.parquet`, 'extra')
  const { operation_id } = await first.call('POST', '/restore', { backup_id, confirm: true, mode: 'replace' })
  await first.reach('switching')
  await end(first, 'SIGKILL')
  const staged = readdirSync(`${arc}/db/m/2026/01/03/08`).filter((name) => name.endsWith('.part')).length
  t.comment(`${staged} of ${files} were not switched yet`)
  const second = await serve(t, folder, { ARC_BACKUP_ON_INTERRUPT: 'clean' })
  t.match(await second.settled(1), {
    operation_id,
    outcome: 'completed',
    resumes: 1,
    replaced_files: 1,
    verified: true,
  })
  t.same(without(hashTree(`${arc}/db`), /\.replaced$/), expected)
  await end(second, 'SIGTERM')
})

import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { runBackup } from '../../src/engine/backup.js'
import { listManifests, loadManifest } from '../../src/engine/backups.js'
import { readManifest, serializeManifest } from '../../src/format/manifest.js'
import { LocalStore } from '../../src/stores/local.js'
import { openScene, wholeBackup } from './scene.js'

t.test('a manifest is read only where it is that of its folder, and no larger than any', async (t) => {
  const { put, open, target } = openScene(t)
  put('db/m/a.parquet')
  const { backupId } = open()
  const run = { ...open(), backupId }
  await runBackup(run, wholeBackup)
  const store = new LocalStore(target)
  t.match(await loadManifest(store, backupId), { backup_id: backupId, total_files: 1 })

  const [copied, huge, empty] = ['1', '2', '3'].map((digit) => `backup-20260101-000000-${digit.repeat(8)}`) as [
    string,
    string,
    string,
  ]
  cpSync(`${target}/${backupId}`, `${target}/${copied}`, { recursive: true })
  for (const id of [huge, empty]) mkdirSync(`${target}/${id}`)
  writeFileSync(`${target}/${huge}/manifest.json`, '')
  truncateSync(`${target}/${huge}/manifest.json`, (64 << 20) + 1)
  const another = { code: 'MANIFEST_INVALID', message: new RegExp(`it is the manifest of "${backupId}"`) }
  await t.rejects(loadManifest(store, copied), another)
  await t.rejects(loadManifest(store, huge), { code: 'MANIFEST_INVALID', message: /67108865 bytes are more than/ })
  await t.rejects(loadManifest(store, empty), { code: 'NOT_FOUND' })

  const { manifests, warnings } = await listManifests(store, pino({ level: 'silent' }))
  t.same(
    manifests.map(({ manifest }) => manifest.backup_id),
    [backupId],
  )
  t.match(warnings.sort(), [new RegExp(`^${copied} is left out: `), new RegExp(`^${huge} is left out: `)])
  const nowhere = new LocalStore(`${target}/${huge}/manifest.json`)
  t.same((await listManifests(nowhere, pino({ level: 'silent' }))).manifests, [])
})

t.test('manifests of a list are read several at once: a store may be far away', async (t) => {
  const { put, open, target } = openScene(t)
  put('db/m/a.parquet')
  const run = open()
  await runBackup(run, wholeBackup)
  const one = readManifest(readFileSync(`${target}/${run.backupId}/manifest.json`))
  const ids = Array.from({ length: 40 }, (_, index) => `backup-20260101-000000-${String(index).padStart(8, '0')}`)
  rmSync(`${target}/${run.backupId}`, { recursive: true })
  for (const id of ids) {
    mkdirSync(`${target}/${id}`)
    writeFileSync(`${target}/${id}/manifest.json`, serializeManifest({ ...one, backup_id: id }))
  }
  const store = new LocalStore(target)
  const { stat } = store
  let [asked, most] = [0, 0]
  store.stat = async (path) => {
    asked += 1
    most = Math.max(most, asked)
    await sleep(20)
    asked -= 1
    return stat.call(store, path)
  }
  const { manifests, warnings } = await listManifests(store, pino({ level: 'silent' }))
  t.same(warnings, [])
  t.same(manifests.map(({ manifest }) => manifest.backup_id).sort(), ids)
  t.equal(most, 16)
})

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { arcBackupId } from '../support/fixture.js'
import { type Json, startTestService, type TestService } from '../support/service.js'

t.setTimeout(600_000)

async function idsIn({ call }: TestService): Promise<string[]> {
  const { json } = await call('GET', '')
  return (json.backups as Json[]).map(({ backup_id: id }) => String(id))
}

/** A service with Arc's own backup and so many of ours, newest first. */
async function scene(t: Test, count: number) {
  const service = await startTestService(t)
  for (let made = 0; made < count; made += 1) await service.run('')
  const ids = await idsIn(service)
  return { ...service, ids, backups: `${service.folder}/data/backups` }
}

async function prune(service: TestService, body: Json): Promise<Json> {
  const started = await service.call('POST', '/prune', body)
  if (started.status !== 202) throw new Error(`prune answered ${started.status}: ${started.text}`)
  const ended = await service.settled()
  return ended
}

t.test('a dry run says what a prune then does; both say which rule keeps what', async (t) => {
  const service = await scene(t, 3)
  const { call, ids, backups } = service
  const [newest = '', second = '', third = '', arcs = ''] = ids
  t.equal(arcs, arcBackupId)
  const plan = await call('POST', '/prune', { keep_last: 2, timezone: 'Europe/Berlin', dry_run: true })
  t.equal(plan.status, 200)
  t.match(plan.json, {
    dry_run: true,
    target: 'local',
    timezone: 'Europe/Berlin',
    keep: [
      { backup_id: newest, reasons: ['last', 'newest'] },
      { backup_id: second, reasons: ['last'] },
    ],
    remove: [{ backup_id: third }, { backup_id: arcs }],
  })
  t.same(await idsIn(service), ids, 'nothing is removed by it')
  const ended = await prune(service, { keep_last: 2 })
  t.match(ended, { operation: 'prune', outcome: 'completed', target: 'local', kept_backups: 2, removed_backups: 2 })
  t.same(ended.removed, [arcs, third], 'the oldest first')
  t.notOk('backup_id' in ended)
  t.same(await idsIn(service), [newest, second])
  t.same(
    readdirSync(backups)
      .filter((name) => !name.startsWith('.'))
      .sort(),
    [second, newest].sort(),
  )
  const { json } = await call('GET', `/operations/${ended.operation_id}`)
  t.match(json, { requested_by: String, request: { keep_last: 2, timezone: String }, removed: [arcs, third] })
})

t.test('what is pinned, and what verified last, stays; unpinned it goes', async (t) => {
  const service = await scene(t, 3)
  const { call, ids, settled } = service
  const [newest = '', second = '', third = '', arcs = ''] = ids
  t.match(await call('POST', `/${arcs}/pin`), {
    status: 200,
    json: { backup_id: arcs, pinned: true, target: 'local', message: 'Backup pinned' },
  })
  const listed = (await call('GET', '')).json.backups as Json[]
  t.same(
    listed.map(({ pinned }) => pinned),
    [undefined, undefined, undefined, true],
  )
  const verify = await call('POST', `/${third}/verify`, { level: 'full' })
  for (let verdict: unknown; verdict !== 'full'; await sleep(10)) {
    verdict = (await call('GET', `/operations/${verify.json.operation_id}`)).json.verified
  }
  await settled()
  const ended = await prune(service, { keep_last: 1 })
  t.same(ended.kept, [
    { backup_id: newest, reasons: ['last', 'newest'] },
    { backup_id: third, reasons: ['newest verified'] },
    { backup_id: arcs, reasons: ['pinned'] },
  ])
  t.same(ended.removed, [second])
  t.equal((await call('DELETE', `/${arcs}/pin`)).json.pinned, false)
  t.same((await prune(service, { keep_last: 1 })).removed, [arcs])
})

t.test('a pin is no part of the backup, and goes with it', async (t) => {
  const { call, ids, backups } = await scene(t, 1)
  const [id = ''] = ids
  await call('POST', `/${id}/pin`)
  const verify = await call('POST', `/${id}/verify`, { level: 'quick' })
  for (let status: unknown = 'running'; status === 'running'; await sleep(10)) {
    const { json } = await call('GET', `/operations/${verify.json.operation_id}`)
    status = json.status
    if (status !== 'running') t.match(json, { verified: 'quick', unexpected_files: 0 })
  }
  t.ok(existsSync(`${backups}/.arc-backup.pin.${id}.json`))
  t.equal((await call('DELETE', `/${id}`)).status, 200)
  t.notOk(existsSync(`${backups}/.arc-backup.pin.${id}.json`))
  t.equal((await call('POST', `/${id}/pin`)).status, 404)
  t.same(
    readdirSync(backups).filter((name) => name.includes('.pin.')),
    [],
  )
})

t.test('a backup that can not be removed keeps no other from going, and the prune says so', async (t) => {
  const service = await scene(t, 3)
  const { call, ids, backups } = service
  const [newest, second, third] = ids
  // What stands in the way of the marker: nobody can write where a folder is.
  mkdirSync(`${backups}/${third}/.arc-backup.json/in-the-way`, { recursive: true })
  const ended = await prune(service, { keep_last: 1 })
  t.match(ended, { status: 'failed', outcome: 'failed', removed_backups: 2, failed_backups: 1 })
  t.match(ended.failed, [{ backup_id: third, code: String, message: String }])
  t.match(String(ended.error), new RegExp(`cannot remove 1 of 3 backups .*${third}`))
  t.same(await idsIn(service), [newest, third])
  rmSync(`${backups}/${third}/.arc-backup.json`, { recursive: true })
  t.equal((await call('GET', `/${second}`)).status, 404)
})

t.test('a damaged manifest is neither counted nor removed', async (t) => {
  const service = await scene(t, 2)
  const { ids, backups } = service
  const [newest, second, arcs] = ids
  writeFileSync(`${backups}/${newest}/manifest.json`, '{')
  const ended = await prune(service, { keep_last: 1 })
  t.same(ended.removed, [arcs])
  t.match(ended.warnings, [new RegExp(`${newest} is left out`)])
  t.same(await idsIn(service), [second])
  t.ok(existsSync(`${backups}/${newest}/manifest.json`))
})

t.test('requests that are not what they should be', async (t) => {
  const { call } = await startTestService(t)
  const refused = async (body: unknown, why: RegExp) => {
    const { status, json } = await call('POST', '/prune', body)
    t.equal(status, 400)
    t.match(String(json.error), why)
  }
  await refused({}, /must be told what to keep/)
  await refused({ keep_last: 0, within: 0 }, /must be told what to keep/)
  await refused({ keep_last: -1 }, /keep_last must be a whole number from 0/)
  await refused({ within: 1.5 }, /within must be a whole number/)
  await refused({ keep_daily: 1, timezone: 'Mars/Olympus' }, /timezone must be the name of a time zone/)
  await refused({ keep_daily: 1, target: 'nowhere' }, /unknown target/)
  t.equal((await call('POST', '/backup-20200101-000000-00000000/pin')).status, 404)
  t.equal((await call('POST', '/nonsense/pin')).status, 400)
})

t.test('while something else runs there is no prune', async (t) => {
  const { call, settled } = await startTestService(t)
  const [backup, refused] = await Promise.all([call('POST', ''), call('POST', '/prune', { keep_last: 1 })])
  t.same([backup.status, refused.status], [202, 409])
  await settled()
})

import { existsSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { runProgram } from '../../src/cli/program.js'
import { arcFolder, TestTerminal } from '../cli/scene.js'
import { adminToken, arcBackupId } from '../support/fixture.js'
import { withSmallDisk } from '../support/mount.js'
import { type Json, startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

const hour = 'alpha_iot/cpu/2026/01/01/03'
const none = { files: 0, bytes: 0 }

function filesOf(plan: Json): Record<string, { files: number; bytes: number }> {
  return plan.files as Record<string, { files: number; bytes: number }>
}

t.test('what a restore would do is what it does', async (t) => {
  const { folder, run, call } = await startTestService(t)
  const storage = `${folder}/data/arc`
  const { backup_id } = await run('')
  const ask = async (more: Json = {}) => call('POST', '/restore', { backup_id, dry_run: true, ...more })

  const same = await ask()
  t.equal(same.status, 200)
  t.match(same.json, {
    dry_run: true,
    backup_id,
    target: 'local',
    mode: 'merge',
    verified: true,
    files: { new: none, changed: none, unchanged: { files: 36 }, kept: none, moved_aside: none },
    mixed_partitions: { count: 0, sample: [] },
    missing_files: 0,
    space: { sufficient: true, needed_bytes: 0, needed_files: 0 },
    databases: [{ name: 'arc', action: 'replace' }],
    configuration: { name: 'arc.toml', action: 'keep', why: 'not asked for' },
  })
  t.match((same.json.warnings as string[]).join(), /tokens revoked since/)

  // Two gone, one of the same size and another time, one longer; an hour that Arc has compacted.
  const gone = readdirSync(`${storage}/metrics/cpu/2026/01/01/00`).map((name) => `metrics/cpu/2026/01/01/00/${name}`)
  for (const path of gone) rmSync(`${storage}/${path}`)
  const [touched = ''] = readdirSync(`${storage}/metrics/mem/2026/01/01/00`)
  utimesSync(`${storage}/metrics/mem/2026/01/01/00/${touched}`, 1, 1)
  const [longer = ''] = readdirSync(`${storage}/metrics/mem/2026/01/01/01`)
  writeFileSync(`${storage}/metrics/mem/2026/01/01/01/${longer}`, 'longer')
  const raw = readdirSync(`${storage}/${hour}`)
  renameSync(`${storage}/${hour}/${raw[0]}`, `${storage}/${hour}/cpu_20260101_040000_1_b0_compacted.parquet`)
  writeFileSync(`${storage}/metrics/notes.txt`, 'no file of Arc')
  const before = hashTree(
    folder,
    (path) => path.includes('arc-backup') || path.includes('-wal') || path.includes('-shm'),
  )

  const merge = (await ask()).json
  const [kept, news] = [filesOf(merge).kept, filesOf(merge).new]
  t.match(merge, {
    files: { changed: { files: 2 }, unchanged: { files: 36 - 2 - gone.length - raw.length }, moved_aside: none },
    mixed_partitions: { count: 1, sample: ['alpha_iot/cpu/2026/01/01'] },
  })
  t.equal(news?.files, gone.length + raw.length)
  t.equal(kept?.files, 1)
  t.match((merge.warnings as string[]).join(), /mode: "replace"/)
  const replace = (await ask({ mode: 'replace', restore_config: true })).json
  t.match(replace, {
    files: { kept: none, moved_aside: kept },
    mixed_partitions: { count: 0 },
    configuration: { action: 'replace' },
  })
  t.match((await ask({ databases: ['metrics'] })).json, {
    files: { kept: none },
    databases: [{ action: 'keep', why: 'not asked for' }],
  })
  t.match((await ask({ restore_data: false })).json, {
    files: { new: none, unchanged: none },
    space: { needed_bytes: 0 },
  })
  const after = hashTree(
    folder,
    (path) => path.includes('arc-backup') || path.includes('-wal') || path.includes('-shm'),
  )
  t.same(after, before, 'nothing was changed')
  t.same(readdirSync(`${folder}/data/arc-backup/plans`), [], 'nothing is left')
  t.match((await call('GET', '/operations')).json, { count: 1 }, 'nothing is on record')

  const { plan_id } = (await ask({ mode: 'replace' })).json
  const done = await run('/restore', { backup_id, confirm: true, mode: 'replace', plan_id })
  t.match(done, { status: 'completed', replaced_files: 1, kept_files: 0 })
  t.match((await ask({ compare: 'stat' })).json, {
    files: { new: none, changed: { files: 1 }, unchanged: { files: 35 } },
  })
  // The touched one: its bytes were right, so the restore left it alone, and its time with it.
  const again = await run('/restore', { backup_id, confirm: true, compare: 'stat' })
  t.match(again, { status: 'completed', unchanged_files: 35 }, 'by its time, too, what was just restored is in place')
})

t.test('a restore that names a plan starts only where it still holds', async (t) => {
  const { folder, run, call } = await startTestService(t)
  const storage = `${folder}/data/arc`
  const { backup_id } = await run('')
  rmSync(`${storage}/alpha_iot`, { recursive: true })
  const { json: plan } = await call('POST', '/restore', { backup_id, dry_run: true, restore_metadata: false })
  const start = { backup_id, confirm: true, restore_metadata: false, plan_id: plan.plan_id }
  writeFileSync(`${storage}/metrics/cpu/2026/01/01/00/new.parquet`, 'flushed since')
  const refused = await call('POST', '/restore', start)
  t.equal(refused.status, 409)
  t.match(refused.json, {
    code: 'PLAN_CHANGED',
    error: /^the plan does not hold any more: files kept: 0/,
    hint: /new plan/,
    changed: ['files kept: 0 when it was planned, 1 now', 'files kept: 0 bytes when it was planned, 13 bytes now'],
  })
  t.notOk(existsSync(`${storage}/alpha_iot`), 'nothing was restored')
  const other = await call('POST', '/restore', { ...start, mode: 'replace' })
  t.match(other, { status: 409, json: { changed: [/another request/] } })
  rmSync(`${storage}/metrics/cpu/2026/01/01/00/new.parquet`)
  t.match(await run('/restore', start), { status: 'completed' })
  t.equal((await call('POST', '/restore', start)).status, 409, 'what was new is there now')
  for (const plan_id of ['x', `${plan.plan_id}x.`, 7]) {
    t.equal((await call('POST', '/restore', { ...start, plan_id })).status, 400, String(plan_id))
  }
  for (const wrong of [{ backup_id: 'backup-20200101-000000-00000000' }, { databases: ['nope'] }]) {
    const answer = await call('POST', '/restore', { backup_id, dry_run: true, ...wrong })
    t.equal(answer.status, 'databases' in wrong ? 400 : 404)
  }
})

t.test("a backup of Arc's own, without hashes and times", async (t) => {
  const { folder, call } = await startTestService(t)
  rmSync(`${folder}/data/arc/metrics`, { recursive: true })
  const { status, json } = await call('POST', '/restore', { backup_id: arcBackupId, dry_run: true })
  t.equal(status, 200)
  t.match(json, { verified: false, files: { new: { files: 18 } }, missing_files: 0 })
  const { new: fresh, changed, unchanged } = filesOf(json)
  t.equal((fresh?.files ?? 0) + (changed?.files ?? 0) + (unchanged?.files ?? 0), 36)
})

t.test('where there is no room, the plan says so', async (t) => {
  const { folder, run, call } = await startTestService(t)
  const { backup_id } = await run('')
  await withSmallDisk(`${folder}/data/arc`, '64k', async () => {
    const { status, json } = await call('POST', '/restore', { backup_id, dry_run: true })
    t.equal(status, 200)
    t.match(json, { files: { new: { files: 36 } }, space: { sufficient: false, free_bytes: 64 << 10 } })
    t.match((json.warnings as string[]).join(), /not enough space at .*data.arc/)
    t.match((await call('POST', '/restore', { backup_id, dry_run: true, staging: 'file' })).json, {
      space: { sufficient: true, needed_files: 1 },
    })
  })
})

t.test('one plan at a time; one that nobody waits for ends', async (t) => {
  const { run, call, service } = await startTestService(t)
  const { backup_id } = await run('')
  const body = { backup_id, dry_run: true }
  const answers = await Promise.all(Array.from({ length: 8 }, () => call('POST', '/restore', body)))
  const busy = answers.filter(({ status }) => status === 409)
  t.ok(busy.length > 0)
  t.equal(busy.length + answers.filter(({ status }) => status === 200).length, 8)
  t.match(busy[0]?.json, { code: 'BUSY', error: 'A restore is being planned already' })
  const url = new URL(`${service.url}/api/v1/backup/restore`)
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
  const leaving = request(url, { method: 'POST', headers })
  leaving.on('error', () => {})
  leaving.end(JSON.stringify(body))
  leaving.destroy()
  let status = 0
  for (let tries = 0; status !== 200 && tries < 500; tries += 1) {
    status = (await call('POST', '/restore', body)).status
    await sleep(10)
  }
  t.equal(status, 200)
})

t.test('on the command line, on the files and with --url', async (t) => {
  const { folder, env } = arcFolder(t)
  const { run, service } = await startTestService(t, { folder })
  const { backup_id } = await run('')
  rmSync(`${folder}/data/arc/metrics`, { recursive: true })
  const url = ['--url', service.url]
  const command = async (...args: string[]) => {
    const terminal = new TestTerminal({ ...env, ARC_TOKEN: adminToken })
    const code = await runProgram(args, terminal.terminal)
    return { code, out: terminal.out, err: terminal.err }
  }
  const shown = await command('restore', String(backup_id), '--plan', ...url)
  t.match(shown, { code: 0, out: /new +18 / })
  t.match(shown.out, /arc\.db: replace\n.*arc\.toml: keep \(not asked for\)\nspace: .* needed, .* free\n/)
  const id = /plan: (\S+)/.exec(shown.out)?.[1] ?? ''
  const json = await command('restore', String(backup_id), '--plan', '--json', ...url)
  t.equal((JSON.parse(json.out) as Json).plan_id, id)
  const other = ['restore', String(backup_id), '--yes', '--plan-id', id, '--mode', 'replace', ...url]
  t.match(await command(...other), { code: 1, err: /the plan does not hold any more/ })
  t.match(await command('restore', String(backup_id), '--yes', '--plan-id', id, ...url), { code: 0 })
  await service.close()
  const local = await command('restore', String(backup_id), '--plan')
  t.match(local, { code: 0, out: /unchanged +36 / })
})

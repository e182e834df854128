import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { receive } from '../notify/scene.js'
import { arcBackupId, copyFixture } from '../support/fixture.js'
import { runProgram } from '../support/process.js'
import { root } from '../support/root.js'
import { type Body, end, makeFolder, serve } from './served.js'

async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 15_000; tries += 1) {
    const found = await ask()
    if (found !== undefined) return found
    await sleep(40)
  }
  throw new Error('it did not come to that')
}

t.test(
  'a service runs what is due: backup, verify, prune; a receiver that fails at first is told of all three',
  async (t) => {
    const folder = t.testdir({})
    copyFixture(folder)
    const { received, url } = await receive(t, 503, 204)
    const served = await serve(t, folder, {
      // Every third second from now on: a run takes less, or the next one follows late.
      ARC_BACKUP_SCHEDULE_CRON: '*/3 * * * * *',
      ARC_BACKUP_SCHEDULE_TIMEZONE: 'Europe/Berlin',
      ARC_BACKUP_SCHEDULE_VERIFY: 'deep',
      ARC_BACKUP_SCHEDULE_PRUNE_KEEP_LAST: '1',
      ARC_BACKUP_WEBHOOK_URL: url,
      ARC_BACKUP_WEBHOOK_SECRET: 'sixteen letters or more',
    })
    const { call } = served
    const ended = await until(async () => {
      const { runs } = (await call('GET', '/schedule')) as { runs: Body[] }
      return runs.filter(({ ended_at: at }) => at !== undefined).at(-1)
    })
    t.match(ended, { outcome: 'completed', missed_runs: Number, verify_operation: String, prune_operation: String })
    const backup = await call('GET', `/operations/${ended.backup_operation}`)
    t.match(backup, { operation: 'backup', outcome: 'completed', requested_by: 'schedule' })
    t.match(await call('GET', `/operations/${ended.verify_operation}`), {
      operation: 'verify',
      backup_id: backup.backup_id,
      verified: 'deep',
      requested_by: 'schedule',
    })
    t.match(await call('GET', `/operations/${ended.prune_operation}`), {
      operation: 'prune',
      requested_by: 'schedule',
      timezone: 'Europe/Berlin',
      removed: [arcBackupId],
    })
    const { schedule } = (await call('GET', '/status')) as { schedule: Body }
    t.match(schedule, { cron: '*/3 * * * * *', target: 'local', last_run: { outcome: 'completed' } })
    t.ok(Date.parse(String(schedule.next_run)) > Date.now() - 3000)
    const metrics = await (await fetch(`${served.url}/metrics`)).text()
    const gauge = (name: string) =>
      Number(new RegExp(`^arc_backup_schedule_${name}\\{target="local"\\} (\\S+)$`, 'm').exec(metrics)?.[1])
    t.ok(Math.abs(gauge('next_run_timestamp_seconds') - Date.now() / 1000) < 6, 'Prometheus is told when it is due')
    t.ok(gauge('last_run_started_timestamp_seconds') <= gauge('last_run_ended_timestamp_seconds'), 'and how it went')
    t.match(metrics, 'arc_backup_schedule_last_run_outcome{target="local",outcome="completed"} 1\n')
    const told = await until(async () => {
      const of = received.map(({ body }) => JSON.parse(body) as { type: string; data: Body })
      const types = of.filter(({ data }) => Object.values(ended).includes(data.operation_id)).map(({ type }) => type)
      const backups = types.filter((type) => type === 'backup.completed').length
      return new Set(types).size === 3 && backups > 1 ? types : undefined
    })
    t.same([...new Set(told)].sort(), ['backup.completed', 'prune.completed', 'verify.completed'])
    t.equal(told.filter((type) => type === 'backup.completed').length, 2, 'the first time it was not taken')
    t.match(
      await runProgram(t, ['status'], { cwd: folder, env: { ARC_BACKUP_SCHEDULE_CRON: '0 3 * * *', TZ: 'UTC' } }),
      {
        code: 0,
        stdout:
          /last run: due .*Z: completed(; \d+ more were missed)?\n(this run: .*\n)?next run: .*T03:00:00\.000Z \(0 3 \* \* \*, UTC\)\n$/,
      },
    )
    const { stdout } = await end(served, 'SIGTERM')
    t.match(stdout, /a scheduled run ended/)
  },
)

t.test('a run whose service is killed goes on: its backup is resumed, not begun again', async (t) => {
  const folder = makeFolder(t)
  const env = {
    ARC_BACKUP_WORKERS: '1',
    ARC_BACKUP_SCHEDULE_CRON: '* * * * * *',
    ARC_BACKUP_SCHEDULE_PRUNE_KEEP_LAST: '1',
  }
  // So that it is still copying when it is killed, even where the first answer takes a second to be checked.
  const first = await serve(t, folder, { ...env, ARC_BACKUP_BANDWIDTH_LIMIT: '64MB/s' })
  await until(async () => {
    const { phase, processed_bytes: bytes } = await first.call('GET', '/status')
    return phase === 'copying' && Number(bytes) > 0 ? true : undefined
  })
  await end(first, 'SIGKILL')
  await sleep(3000)
  const second = await serve(t, folder, env)
  const runs = await until(async () => {
    const { runs: found } = (await second.call('GET', '/schedule')) as { runs: Body[] }
    return found.length > 1 && found.at(-1)?.ended_at !== undefined ? found : undefined
  })
  const run = runs.at(-1) as Body
  t.match(run, { outcome: 'completed', verify_operation: String, prune_operation: String })
  t.match(await second.call('GET', `/operations/${run.backup_operation}`), { resumes: 1, outcome: 'completed' })
  t.match(runs.at(-2), { due_at: String, began_at: String }, 'and what was missed meanwhile is made up')
  t.ok(Date.parse(String(runs.at(-2)?.began_at)) - Date.parse(String(runs.at(-2)?.due_at)) > 1000)
  await end(second, 'SIGKILL')
})

t.test('what the systemd unit runs, one after the other', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const unit = readFileSync(`${root}deploy/systemd/arc-backup-nightly.service`, 'utf8')
  const commands = [...unit.matchAll(/^ExecStart=\S+\/arc-backup (.*)$/gm)].map(([, args = '']) => args.split(' '))
  t.equal(commands.length, 2)
  for (const args of commands) {
    const { code, stdout } = await runProgram(t, args, { cwd: folder })
    t.equal(code, 0, stdout)
  }
  // Its own programs are not installed here.
  const files = ['service', 'timer'].map((kind) => `arc-backup-nightly.${kind}`)
  for (const name of files) {
    const text = readFileSync(`${root}deploy/systemd/${name}`, 'utf8')
    writeFileSync(`${folder}/${name}`, text.replaceAll(/^ExecStart=\S+/gm, 'ExecStart=/bin/true'))
  }
  const verified = spawnSync('systemd-analyze', ['verify', ...files], { cwd: folder, encoding: 'utf8' })
  t.same([verified.error, verified.status, verified.stderr], [undefined, 0, ''])
})

import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { ServiceError } from '../../src/errors.js'

function load(t: Test, toml: string, env: NodeJS.ProcessEnv = {}) {
  const cwd = t.testdir({ 'arc.toml': toml })
  return { cwd, load: () => loadConfig({ cwd, env }).backup.schedule }
}

function refused(t: Test, toml: string, env: NodeJS.ProcessEnv = {}): string[] {
  const { cwd, load: run } = load(t, toml, env)
  try {
    run()
  } catch (error) {
    if (error instanceof ServiceError) return (error.detail.problems as string[]).map((line) => line.replace(cwd, '.'))
    throw error
  }
  return []
}

t.test('without a table there is none; with a cron expression the rest has defaults', async (t) => {
  t.equal(load(t, '').load(), null)
  const timezone = new Intl.DateTimeFormat().resolvedOptions().timeZone
  t.strictSame(load(t, '[backup.schedule]\ncron = "0 3 * * *"\n').load(), {
    cron: '0 3 * * *',
    timezone,
    target: 'local',
    verify: 'quick',
    prune: null,
  })
})

t.test('every key reaches its place, from the file and from the environment', async (t) => {
  const toml = `
[backup]
default_target = "local"
[backup.targets.nas]
type = "local"
local_path = "/nas"
[backup.schedule]
cron = "30 2 * * 1-5"
timezone = "Europe/Berlin"
target = "NAS"
verify = "Deep"
prune = { keep_last = 1, keep_hourly = 2, keep_daily = 3, keep_weekly = 4, keep_monthly = 5, keep_yearly = 6, within = 7 }
`
  const prune = { last: 1, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6, within: 7 }
  const expected = { cron: '30 2 * * 1-5', timezone: 'Europe/Berlin', target: 'nas', verify: 'deep', prune }
  t.strictSame(load(t, toml).load(), expected)
  const env = {
    ARC_BACKUP_SCHEDULE_CRON: '@hourly',
    ARC_BACKUP_SCHEDULE_TIMEZONE: 'UTC',
    ARC_BACKUP_SCHEDULE_TARGET: 'local',
    ARC_BACKUP_SCHEDULE_VERIFY: 'none',
    ARC_BACKUP_SCHEDULE_PRUNE_KEEP_LAST: '9',
  }
  t.strictSame(load(t, toml, env).load(), {
    cron: '@hourly',
    timezone: 'UTC',
    target: 'local',
    verify: null,
    prune: { ...prune, last: 9 },
  })
})

t.test('what is wrong is named with its line, and with what was expected', async (t) => {
  const cron =
    'a cron expression that is due some day, such as "0 3 * * *": minute, hour, day of month, month, day of week'
  t.strictSame(refused(t, '[backup.schedule]\nverify = "quick"\n'), [
    './arc.toml:1: backup.schedule.cron is not set, expected when to run, such as "0 3 * * *", because there is a table [backup.schedule]',
  ])
  t.strictSame(refused(t, '[backup.schedule]\ncron = "0 25 * * *"\n'), [
    `./arc.toml:2: backup.schedule.cron is "0 25 * * *", expected ${cron}`,
  ])
  t.strictSame(refused(t, '', { ARC_BACKUP_SCHEDULE_CRON: '0 0 30 2 *' }), [
    `environment variable ARC_BACKUP_SCHEDULE_CRON (backup.schedule.cron) is "0 0 30 2 *", expected ${cron}`,
  ])
  t.strictSame(
    refused(
      t,
      '[backup.schedule]\ncron = "0 3 * * *"\ntimezone = "Mars/Olympus"\ntarget = "nas"\nverify = "some"\nprune = { keep_daily = -1 }\n',
    ),
    [
      './arc.toml:5: backup.schedule.verify is "some", expected one of "none", "quick", "full", "deep"',
      './arc.toml:6: backup.schedule.prune.keep_daily is -1, expected a whole number from 0 to 36500',
      './arc.toml:3: backup.schedule.timezone is "Mars/Olympus", expected the name of a time zone, such as "Europe/Berlin"',
      './arc.toml:4: backup.schedule.target is "nas", expected a target: "local"',
    ],
  )
  t.strictSame(refused(t, '[backup.schedule]\ncron = "0 3 * * *"\nprune = 7\n'), [
    './arc.toml:3: backup.schedule.prune is 7, expected a table [backup.schedule.prune]',
  ])
  const cwd = t.testdir({ 'arc.toml': '[backup.schedule]\ncron = "0 3 * * *"\nprune = { keep_dayly = 7 }\n' })
  t.match(loadConfig({ cwd, env: {} }).warnings, [
    /arc\.toml:3: backup\.schedule\.prune\.keep_dayly is not a known key and does nothing; the nearest is backup\.schedule\.prune\.keep_daily/,
  ])
})

import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.js'
import type { Coordinator } from '../../src/engine/coordinator.js'
import { lockFile } from '../../src/engine/file-lock.js'
import type { Run } from '../../src/schedule/runs.js'
import type { Scheduler } from '../../src/schedule/scheduler.js'
import { openCoordinator, openScheduler } from '../../src/service.js'
import { openLog } from '../notify/scene.js'
import { SimulatedClock } from '../support/clock.js'
import { mountTmpfs } from '../support/mount.js'

/** A service without its HTTP, over one measurement: the engine, the schedule and the records are what a service has. */
async function scene(t: Test, start: string, schedule: string) {
  const clock = new SimulatedClock(start)
  // In memory: each backup waits for its disk, and there are two months of them.
  const folder = mountTmpfs(t, '256M')
  const cpu = `${folder}/data/arc/metrics/cpu`
  mkdirSync(cpu, { recursive: true })
  for (const name of ['a', 'b']) writeFileSync(`${cpu}/${name}.parquet`, `PAR1 ${name}`)
  const write = (lines: string): void => {
    const table = lines === '' ? '' : `[backup.schedule]\n${lines}\n`
    writeFileSync(`${folder}/arc.toml`, `[backup]\nlocal_path = "./backups"\nworkers = 1\n${table}`)
  }
  write(schedule)
  const { lines, log } = openLog()
  let running: { coordinator: Coordinator; scheduler: Scheduler } | null = null
  const load = () => loadConfig({ cwd: folder, env: {} })
  const open = async () => {
    const config = load()
    const coordinator = await openCoordinator(config, log)
    const scheduler = openScheduler(config, coordinator, log, clock)
    if (!scheduler) throw new Error('nothing is scheduled')
    scheduler.start(coordinator.recover())
    running = { coordinator, scheduler }
    return running
  }
  /** As after a restart with another configuration, but on the same engine. */
  const reschedule = async (lines: string): Promise<Scheduler | null> => {
    if (!running) throw new Error('nothing runs')
    await running.scheduler.close()
    write(lines)
    const scheduler = openScheduler(load(), running.coordinator, log, clock)
    if (scheduler) {
      scheduler.start(Promise.resolve())
      running = { ...running, scheduler }
    }
    return scheduler
  }
  const close = async (): Promise<void> => {
    await running?.scheduler.close()
    await running?.coordinator.close()
    running = null
  }
  t.teardown(close)
  return { folder, cpu, clock, lines, open, close, reschedule, backups: `${folder}/backups` }
}

/** Oldest first, times as UTC to the minute. */
function told(runs: readonly Run[]): string[] {
  const minute = (ms: number): string => new Date(ms).toISOString().slice(5, 16)
  return runs
    .map(({ due, began, outcome, missed }) => {
      const late = began - due >= 60_000 ? ` at ${minute(began)}` : ''
      return `${minute(due)}${late} ${outcome}${missed > 0 ? ` ${missed} missed` : ''}`
    })
    .reverse()
}

/** What each night of a month is expected to be told as. @param utc the time of day, by the day */
function nights(
  month: string,
  count: number,
  utc: (day: number) => string,
  special: Record<number, string[]>,
): string[] {
  return Array.from({ length: count }, (_, index) => index + 1).flatMap((number) => {
    const date = `${month}-${String(number).padStart(2, '0')}`
    return special[number] ?? [`${date}T${utc(number)} completed`]
  })
}

/** Each operation that the schedule began belongs to one run; each run has what it should have. */
function checkAccount(t: Test, runs: readonly Run[], coordinator: Coordinator): void {
  const operations = coordinator
    .operations(1000)
    // What is cut off is begun anew.
    .filter(({ caller, status }) => caller === 'schedule' && status.outcome !== 'interrupted')
  const inRuns = runs.flatMap(({ backup, verify, prune }) => [backup, verify, prune]).filter((id) => id !== null)
  t.same(
    operations.map(({ status }) => status.operationId).sort(),
    [...inRuns].sort(),
    'the journal has all of them, and no others',
  )
  for (const { due, outcome, backup, verify, prune } of runs) {
    const of = (id: string | null) => (id === null ? null : coordinator.operation(id).status)
    const parts = [of(backup), of(verify), of(prune)].map((status) => status && [status.operation, status.outcome])
    const expected =
      outcome === 'completed'
        ? [
            ['backup', 'completed'],
            ['verify', 'completed'],
            ['prune', 'completed'],
          ]
        : [['backup', 'failed'], null, null]
    if (JSON.stringify(parts) !== JSON.stringify(expected)) t.same(parts, expected, new Date(due).toISOString())
  }
}

t.test(
  'March: the clock is put forward over the time of the run; a restart, days without power, a busy and a broken target',
  async (t) => {
    const { folder, clock, open, close, backups } = await scene(
      t,
      '2026-02-28T12:00Z',
      'cron = "30 2 * * *"\ntimezone = "Europe/Berlin"\nprune = { keep_daily = 7 }',
    )
    await open()
    await clock.runTo('2026-03-05T11:00Z')
    await close()
    clock.set('2026-03-05T11:05Z')
    await open()
    await clock.runTo('2026-03-09T12:00Z')
    await close()
    // A day without power, and then three.
    clock.set('2026-03-10T18:00Z')
    await open()
    await clock.runTo('2026-03-12T12:00Z')
    await close()
    clock.set('2026-03-15T18:00Z')
    const { coordinator, scheduler } = await open()
    await clock.runTo('2026-03-21T12:00Z')
    // Somebody else writes there for twenty minutes.
    const other = { host: 'elsewhere', pid: 1, operation: 'backup', since: '2026-03-22T01:25:00Z' }
    const lock = lockFile(`${backups}/.arc-backup.lock`, other)
    await clock.runTo('2026-03-22T01:50Z')
    lock.release('remove')
    await clock.runTo('2026-03-23T12:00Z')
    renameSync(backups, `${folder}/unmounted`)
    writeFileSync(backups, '')
    await clock.runTo('2026-03-24T12:00Z')
    rmSync(backups)
    renameSync(`${folder}/unmounted`, backups)
    await clock.runTo('2026-03-31T21:59Z')
    const runs = scheduler.runs(1000)
    const special = {
      10: ['03-10T01:30 at 03-10T18:00 completed'],
      13: ['03-13T01:30 at 03-15T18:00 completed 2 missed'],
      14: [],
      15: [],
      24: ['03-24T01:30 failed'],
    }
    t.same(
      told(runs),
      nights('03', 31, (number) => (number < 29 ? '01:30' : number === 29 ? '01:00' : '00:30'), special),
    )
    checkAccount(t, runs, coordinator)
    const busy = runs.find(({ due }) => due === Date.parse('2026-03-22T01:30Z'))
    t.equal(
      new Date(busy?.covers ?? 0).toISOString().slice(0, 16),
      '2026-03-22T01:50',
      'it waited until the target was free',
    )
    t.match(runs.find(({ outcome }) => outcome === 'failed')?.note, /backups/)
    t.same(
      readdirSync(backups)
        .filter((name) => name.startsWith('backup-'))
        .map((name) => name.slice(7, 15))
        .sort(),
      ['20260325', '20260326', '20260327', '20260328', '20260329', '20260330', '20260331'],
      'the backups of the last seven days are there',
    )
  },
)

t.test(
  'October: the clock shows the time of the run twice; a run that is stopped between backup and verify',
  async (t) => {
    const { clock, open, close } = await scene(
      t,
      '2026-09-30T12:00Z',
      'cron = "30 2 * * *"\ntimezone = "Europe/Berlin"\nprune = { keep_last = 3 }',
    )
    const first = await open()
    await clock.runTo('2026-10-19T23:00Z')
    let closed = Promise.resolve()
    first.coordinator.onEnd(({ operation }) => {
      if (operation === 'backup') closed = close()
    })
    const stopped = clock.runTo('2026-10-20T00:40Z')
    while (first.scheduler.runs(1)[0]?.due !== Date.parse('2026-10-20T00:30Z')) await new Promise(setImmediate)
    await first.coordinator.idle()
    await closed
    void stopped
    clock.set('2026-10-20T06:00Z')
    const { coordinator, scheduler } = await open()
    await clock.runTo('2026-10-31T22:59Z')
    const runs = scheduler.runs(1000)
    t.same(
      told(runs),
      nights('10', 31, (number) => (number < 26 ? '00:30' : '01:30'), {}),
    )
    checkAccount(t, runs, coordinator)
    const [cut] = runs.filter(({ due }) => due === Date.parse('2026-10-20T00:30Z'))
    t.ok((cut?.ended ?? 0) >= Date.parse('2026-10-20T06:00Z'), 'it went on after the start')
  },
)

t.test('a schedule that changes is not made up, nor one that was away', async (t) => {
  const { clock, open, reschedule } = await scene(t, '2026-06-01T12:00Z', 'cron = "0 22 * * *"\ntimezone = "UTC"')
  await open()
  await clock.runTo('2026-06-03T12:00Z')
  await reschedule('cron = "0 3 * * *"\ntimezone = "UTC"')
  await clock.runTo('2026-06-04T12:00Z')
  t.equal(await reschedule(''), null)
  clock.set('2026-06-10T12:00Z')
  const scheduler = await reschedule('cron = "0 3 * * *"\ntimezone = "UTC"')
  await clock.runTo('2026-06-11T12:00Z')
  t.same(told(scheduler?.runs(10) ?? []), [
    '06-01T22:00 completed',
    '06-02T22:00 completed',
    '06-04T03:00 completed',
    '06-11T03:00 completed',
  ])
  t.match(scheduler?.view(), {
    nextRun: Date.parse('2026-06-12T03:00Z'),
    current: null,
    last: { due: Date.parse('2026-06-11T03:00Z') },
  })
})

t.test('a clock that was wrong by a year, and one that is put back a little', async (t) => {
  const { clock, open } = await scene(t, '2027-06-01T00:00Z', 'cron = "0 3 * * *"\ntimezone = "UTC"')
  const { scheduler } = await open()
  await clock.runTo('2027-06-01T12:00Z')
  clock.set('2026-06-01T12:00Z')
  await clock.runTo('2026-06-02T03:00:30Z')
  clock.set('2026-06-02T02:59:58Z')
  await clock.runTo('2026-06-03T12:00Z')
  t.same(told(scheduler.runs(10)), ['06-01T03:00 completed', '06-02T03:00 completed', '06-03T03:00 completed'])
})

t.test('gaps, and a verify that finds damage: nothing is pruned, and it is said why', async (t) => {
  const { folder, cpu, clock, open } = await scene(
    t,
    '2026-06-01T00:00Z',
    'cron = "0 3 * * *"\ntimezone = "UTC"\nprune = { keep_last = 1 }',
  )
  for (let index = 0; index < 20; index += 1) writeFileSync(`${cpu}/more${index}.parquet`, `PAR1 ${index}`)
  const { coordinator, scheduler } = await open()
  const count = async () => (await coordinator.listBackups()).backups.length
  await clock.runTo('2026-06-02T12:00Z')
  t.same([await count(), told(scheduler.runs(10))], [1, ['06-01T03:00 completed', '06-02T03:00 completed']])
  // A name that is no text can't be backed up.
  const nameless = Buffer.concat([Buffer.from(`${cpu}/`), Buffer.from([0xff]), Buffer.from('.parquet')])
  writeFileSync(nameless, 'x')
  await clock.runTo('2026-06-03T12:00Z')
  t.match(scheduler.view().last, {
    outcome: 'gaps',
    note: 'the backup has gaps, so nothing was pruned',
    verify: String,
    prune: null,
  })
  t.equal(await count(), 2)
  rmSync(nameless)
  let damage = true
  coordinator.onEnd(({ operation, backupId }) => {
    if (operation === 'backup' && damage) rmSync(`${folder}/backups/${backupId}/data/metrics/cpu/a.parquet`)
  })
  await clock.runTo('2026-06-04T12:00Z')
  t.match(scheduler.view().last, {
    outcome: 'failed',
    note: /^the verify ended as failed \(.*1 file missing\), so nothing was pruned$/,
    prune: null,
  })
  t.equal(await count(), 3)
  damage = false
  await clock.runTo('2026-06-05T12:00Z')
  t.equal(scheduler.view().last?.outcome, 'completed')
  t.equal(await count(), 1, 'a good night prunes what the bad ones left')
})

t.test('a place for backups that is none is a run that failed, and the next night is another', async (t) => {
  const { clock, open, backups } = await scene(t, '2026-06-01T00:00Z', 'cron = "0 3 * * *"\ntimezone = "UTC"')
  const { scheduler } = await open()
  await clock.runTo('2026-06-01T12:00Z')
  renameSync(backups, `${backups}.away`)
  writeFileSync(backups, 'no folder')
  await clock.runTo('2026-06-02T12:00Z')
  t.match(scheduler.view().last, { outcome: 'failed', note: /backups/, verify: null, prune: null })
  rmSync(backups)
  renameSync(`${backups}.away`, backups)
  await clock.runTo('2026-06-03T12:00Z')
  t.equal(scheduler.view().last?.outcome, 'completed')
})

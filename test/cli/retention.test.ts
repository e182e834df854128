import t from 'tap'
import { adminToken, arcBackupId } from '../support/fixture.js'
import { startTestService } from '../support/service.js'
import { prepare } from './scene.js'

t.test('prune, pin and unpin, on the files and through a service', async (t) => {
  const { folder, run } = prepare(t)
  for (let made = 0; made < 2; made += 1) t.equal((await run(['backup'])).code, 0)
  const list = async (): Promise<string[]> => {
    const { backups } = JSON.parse((await run(['list', '--json'])).out) as { backups: { backup_id: string }[] }
    return backups.map(({ backup_id: id }) => id)
  }
  const [newest = '', second = '', arcs] = await list()
  t.equal(arcs, arcBackupId)
  t.match(await run(['pin', arcBackupId]), { code: 0, out: `pinned ${arcBackupId}\n` })
  t.match(await run(['unpin', arcBackupId]), { code: 0, out: `unpinned ${arcBackupId}\n` })
  t.notMatch(await run(['list']), { out: new RegExp(`${arcBackupId} .* yes `) })
  t.match(await run(['pin', arcBackupId]), { code: 0 })
  t.match(await run(['list']), { out: new RegExp(`PINNED.*\\n(?:.*\\n)*${arcBackupId} .* yes `) })

  const rules = ['prune', '--keep-last', '1', '--keep-daily', '0', '--timezone', 'Europe/Berlin']
  const plan = await run([...rules, '--dry-run'])
  t.equal(plan.code, 0)
  t.match(plan.out, `keep ${newest}: last, newest\nkeep ${arcBackupId}: pinned\nremove ${second}\n`)
  t.match(plan.out, 'days begin in the time zone Europe/Berlin')
  t.match(JSON.parse((await run([...rules, '--dry-run', '--json'])).out), { remove: [{ backup_id: second }] })
  t.match(await run(rules), { code: 2, err: /Remove 1 backup\? Nobody can be asked here: give --yes/ })
  t.match(await run(rules, {}, 'no'), { code: 1, out: '' })
  t.equal((await list()).length, 3, 'nothing went without a yes')
  t.match(await run(rules, {}, 'y'), {
    code: 0,
    out: new RegExp(`^prune of local: completed.*\\nkeep .*removed: ${second}\\n$`, 's'),
  })
  t.same(await list(), [newest, arcBackupId])

  const { service } = await startTestService(t, { folder })
  const there = [['--url', service.url], { ARC_TOKEN: adminToken }] as const
  const ask = (args: string[]) => run([...args, ...there[0]], there[1])
  t.match(await ask(['unpin', arcBackupId]), { code: 0, out: `unpinned ${arcBackupId}\n` })
  t.match(await ask(['pin', newest, '--json']), { code: 0, out: /"pinned":true/ })
  t.match(await ask(['prune', '--keep-last', '1', '--dry-run']), { code: 0, out: new RegExp(`remove ${arcBackupId}`) })
  t.match(await ask(['prune', '--keep-last', '1', '--yes']), { code: 0, out: new RegExp(`removed: ${arcBackupId}`) })
  t.match(await ask(['unpin', newest]), { code: 0 })
  t.match(await ask(['list', '--json']), { out: /"count":1/ })
})

t.test('what is no rule', async (t) => {
  const { run } = prepare(t)
  for (const args of [['--keep-last', 'many'], ['--keep-last', '-1'], ['--within', '1.5'], ['--dry-run'], ['--yes']]) {
    t.match(await run(['prune', ...args]), { code: 2, out: '' }, args.join(' '))
  }
  for (const command of ['pin', 'unpin']) {
    t.match(await run([command, 'backup-20200101-000000-00000000']), { code: 1, err: /Backup not found/ })
    t.match(await run([command, 'nonsense']), { code: 2, err: /Invalid backup ID format/ })
  }
})

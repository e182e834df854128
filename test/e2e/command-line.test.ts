import { chmodSync, chownSync, readdirSync, rmSync } from 'node:fs'
import t from 'tap'
import { adminToken, arcBackupId, copyFixture } from '../support/fixture.js'
import { runProgram, startProgram } from '../support/process.js'
import { hashTree } from '../support/tree.js'

for (const remote of [false, true]) {
  t.test(`the commands, ${remote ? 'against a running service' : 'on the files themselves'}`, async (t) => {
    const folder = t.testdir({})
    copyFixture(folder)
    const before = hashTree(`${folder}/data/arc`)
    let extra: string[] = []
    let env: NodeJS.ProcessEnv = {}
    if (remote) {
      const service = startProgram(t, ['serve'], {
        cwd: folder,
        env: { ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1' },
      })
      const [, url] = await service.waitFor(/"url":"([^"]+)"/)
      extra = ['--url', String(url)]
      env = { ARC_TOKEN: adminToken }
      t.teardown(() => service.child.kill('SIGTERM'))
    }
    const run = (args: string[], input?: string) =>
      runProgram(t, [...args, ...extra], { cwd: folder, env, ...(input !== undefined && { input }) })

    t.match(await run(['status']), { code: 0, stdout: 'idle\n' })
    const backup = await run(['backup', '--json'])
    t.match(backup, { code: 0, stderr: /backup \[/ })
    const { backup_id: id, outcome } = JSON.parse(backup.stdout) as Record<string, string>
    t.equal(outcome, 'completed')
    t.match(await run(['list']), { code: 0, stdout: new RegExp(`BACKUP.*\\n${id}.*\\n${arcBackupId}`) })
    t.match(await run(['show', String(id)]), { code: 0, stdout: /"total_files": 36/ })
    t.match(await run(['status']), { code: 0, stdout: new RegExp(`backup ${id}: completed`) })

    rmSync(`${folder}/data/arc/metrics`, { recursive: true })
    t.match(await run(['restore', String(id)], ''), { code: 2, stderr: /give --yes/ })
    t.notOk(readdirSync(`${folder}/data/arc`).includes('metrics'))
    t.match(await run(['restore', String(id), '--yes', '--mode', 'replace']), {
      code: 0,
      stdout: /restore .*: completed, 36 files/,
    })
    t.same(hashTree(`${folder}/data/arc`), before)

    t.match(await run(['delete', String(id)], ''), { code: 2 })
    t.match(await run(['delete', String(id), '--yes']), { code: 0, stdout: `deleted ${id}\n` })
    t.match(await run(['show', String(id)]), { code: 1, stderr: /Backup not found/ })
    t.match(await run(['restore', String(id), '--yes']), { code: 1, stderr: /Backup not found/ })
    t.match(await run(['backup', '--databases', 'nope']), { code: 2, stderr: /unknown databases: nope/ })
  })
}

t.test('usage errors and help', async (t) => {
  const folder = t.testdir({})
  for (const command of ['', 'serve', 'backup', 'restore', 'verify', 'list', 'show', 'delete', 'status']) {
    t.match(
      await runProgram(t, [command, '--help'].filter(Boolean), { cwd: folder }),
      { code: 0, stdout: /Usage: arc-backup/ },
      `${command} --help`,
    )
  }
  for (const args of [['nonsense'], ['restore'], ['list', '--nonsense'], ['list', '--config', './missing.toml']]) {
    t.match(await runProgram(t, args, { cwd: folder }), { code: 2, stdout: '', stderr: /\S/ }, args.join(' '))
  }
  t.match(await runProgram(t, ['list', '--url', 'http://127.0.0.1:1'], { cwd: folder }), {
    code: 1,
    stderr: /cannot reach http:\/\/127\.0\.0\.1:1/,
  })
})

t.test('a backup with gaps has an exit code of its own', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const at = `${folder}/data/arc/metrics/cpu/2026/01/01/00`
  // Root reads everything: a name that is not UTF-8 is what it can't open either.
  const name = Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0xff, 0xfe]), Buffer.from('.parquet')])
  const { writeFileSync } = await import('node:fs')
  writeFileSync(name, 'x')
  chmodSync(folder, 0o755)
  chownSync(folder, 0, 0)
  const { code, stdout } = await runProgram(t, ['backup'], { cwd: folder })
  t.equal(code, 4)
  t.match(stdout, /gaps, 36 files/)
  t.match(stdout, /skipped: .*not valid UTF-8/)
})

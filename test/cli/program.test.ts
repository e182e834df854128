import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { runProgram } from '../../src/cli/program.js'
import { version } from '../../src/version.js'
import { adminToken, arcBackupId } from '../support/fixture.js'
import { startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'
import { answerWith, arcFolder, prepare, TestTerminal } from './scene.js'

t.test('help, for each command', async (t) => {
  const { run } = prepare(t)
  for (const command of ['serve', 'backup', 'restore', 'verify', 'list', 'show', 'delete', 'status', 'limits']) {
    const { code, out, err } = await run([command, '--help'])
    t.same([code, err], [0, ''], command)
    t.match(out, new RegExp(`^Usage: arc-backup ${command} `))
    t.match((await run(['help', command])).out, out)
    t.match((await run(['--help'])).out, new RegExp(`\\n  ${command} `))
  }
  t.match(await run(['--version']), { code: 0, out: `${version}\n` })
})

t.test('usage errors', async (t) => {
  const { run } = prepare(t)
  for (const args of [
    [],
    ['nonsense'],
    ['restore'],
    ['show'],
    ['delete'],
    ['list', '--nonsense'],
    ['list', 'one', 'too many'],
    ['backup', '--databases'],
    ['list', '--config', '/nowhere/arc.toml'],
    ['serve', '--config', '/nowhere/arc.toml'],
    ['show', 'no-id'],
    ['show', ''],
    ['delete', '..', '--yes'],
    ['restore', 'status', '--yes'],
    ['restore', arcBackupId, '--yes', '--mode', 'nonsense'],
    ['restore', arcBackupId, '--yes', '--staging', 'file', '--all-or-nothing'],
    ['backup', '--databases', 'nope'],
    ['backup', '--bandwidth-limit', '200'],
    ['backup', '--bandwidth-limit', '1MB/s', '--url', 'http://127.0.0.1:1'],
    ['limits', '--bandwidth', '1MB/s'],
    ['list', '--url', ''],
    ['list', '--url', 'localhost:8010'],
  ]) {
    const { code, out, err } = await run(args)
    t.same([code, out], [2, ''], args.join(' '))
    t.match(err, /\S/)
  }
})

t.test('list, show and status, for people and for programs', async (t) => {
  const { run } = prepare(t)
  t.match(await run(['list']), { code: 0, out: new RegExp(`^BACKUP .*\\n${arcBackupId} .*\\n$`) })
  const list = await run(['list', '--json'])
  t.match(JSON.parse(list.out), { count: 1, backups: [{ backup_id: arcBackupId }] })
  const [shown, asJson] = [await run(['show', arcBackupId]), await run(['show', arcBackupId, '--json'])]
  t.same(JSON.parse(shown.out), JSON.parse(asJson.out))
  t.match(shown.out, '\n  "backup_id"')
  t.equal(asJson.out.split('\n').length, 2, 'one line')
  t.match(await run(['status']), { code: 0, out: 'idle\n' })
  t.match(await run(['status', '--json']), { code: 0, out: '{"status":"idle"}\n' })
  t.match(await run(['show', 'backup-20200101-000000-00000000']), {
    code: 1,
    out: '',
    err: 'arc-backup: Backup not found\n',
  })
})

t.test('backup and restore with what they are told to take', async (t) => {
  const { folder, run } = prepare(t)
  const backup = await run(['backup', '--json', '--no-metadata', '--no-configuration'])
  t.equal(backup.code, 0)
  t.match(backup.err, /^backup \[/)
  const id = String((JSON.parse(backup.out) as Record<string, unknown>).backup_id)
  t.match(await run(['show', id]), { out: /"has_metadata": false/ })
  t.match(await run(['status']), { code: 0, out: new RegExp(`^backup ${id}: completed, 36 files`) })

  const one = await run(['backup', '--databases', 'metrics'])
  t.match(one, { code: 0, out: /: completed, 18 files/ })

  const before = hashTree(`${folder}/data/arc`)
  rmSync(`${folder}/data/arc/metrics`, { recursive: true })
  const restored = await run([
    'restore',
    id,
    '--yes',
    '--databases',
    'metrics',
    '--mode',
    'replace',
    '--staging',
    'file',
  ])
  t.match(restored, { code: 0, out: /^restore .*: completed, 18 files/ })
  t.same(hashTree(`${folder}/data/arc`), before)
  const all = ['restore', id, '--yes', '--no-metadata', '--all-or-nothing']
  t.match(await run(all), { code: 0, out: /: completed, 36 files/ })
  const own = readFileSync(`${folder}/arc.toml`, 'utf8')
  writeFileSync(`${folder}/arc.toml`, `${own}\n# changed\n`)
  t.match(await run(['restore', arcBackupId, '--yes', '--no-data', '--configuration']), { code: 0 })
  t.equal(readFileSync(`${folder}/arc.toml`, 'utf8'), own)
  t.match(readFileSync(`${folder}/arc.toml.before-restore`, 'utf8'), '# changed')
})

t.test('restore and delete ask', async (t) => {
  const { folder, run } = prepare(t)
  const before = hashTree(`${folder}/data`)
  for (const command of ['restore', 'delete']) {
    t.match(await run([command, arcBackupId]), { code: 2, out: '', err: /give --yes/ }, `${command} without a terminal`)
    for (const answer of ['', 'no', null]) {
      const { code, out, err } = await run([command, arcBackupId], {}, answer)
      t.same([code, out], [1, ''], `${command}: ${answer}`)
      t.match(err, `${arcBackupId}`)
    }
  }
  t.same(hashTree(`${folder}/data`), before)
  t.match(await run(['restore', arcBackupId, '--no-metadata'], {}, 'y'), { code: 0, out: /: completed, 36 files/ })
  t.match(await run(['delete', arcBackupId], {}, 'yes'), { code: 0, out: `deleted ${arcBackupId}\n` })
  t.match(await run(['delete', arcBackupId], {}, 'yes'), { code: 1, err: /Backup not found/ })
})

t.test('a damaged backup can be deleted too', async (t) => {
  const { folder, run } = prepare(t)
  writeFileSync(`${folder}/data/backups/${arcBackupId}/manifest.json`, '{')
  t.match(await run(['list']), { code: 0, out: new RegExp(`^no backups\\nwarning: ${arcBackupId} is left out`) })
  t.match(await run(['delete', arcBackupId, '--yes', '--json']), {
    code: 0,
    out: `{"backup_id":"${arcBackupId}","message":"Backup deleted"}\n`,
  })
})

t.test('failed, and completed with gaps', async (t) => {
  const { folder, run } = prepare(t)
  const name = Buffer.concat([
    Buffer.from(`${folder}/data/arc/metrics/cpu/2026/01/01/00/`),
    Buffer.from([0xff]),
    Buffer.from('.parquet'),
  ])
  writeFileSync(name, 'x')
  t.match(await run(['backup']), { code: 4, out: /: gaps, 36 files.*\n(.*\n)*skipped: / })
  t.match(await run(['backup'], { ARC_BACKUP_MAX_SKIPPED: '0' }), { code: 1, out: /: failed.*\nerror: / })
})

t.test('a verify, beside a service on the same state and through it', async (t) => {
  const { folder, run } = prepare(t)
  const { service } = await startTestService(t, { folder })
  const sound = { code: 0, out: new RegExp(`^verify ${arcBackupId}: completed, 38 files.*\nwarning: nothing vouches`) }
  t.match(await run(['verify', arcBackupId]), sound)
  const list = await run(['list'])
  t.match(list.out, new RegExp(`${arcBackupId} .* full \\d{4}-`), 'the service and the command have one record')
  const remote = { args: ['--url', service.url], env: { ARC_TOKEN: adminToken } }
  t.match(await run(['verify', arcBackupId, '--level', 'deep', ...remote.args], remote.env), sound)
  for (let number = 0; number < 40; number += 1)
    writeFileSync(`${folder}/data/backups/${arcBackupId}/data/more${number}.parquet`, 'x')
  for (const { args, env } of [{ args: [], env: {} }, remote]) {
    const damaged = await run(['verify', arcBackupId, '--level', 'quick', ...args], env)
    t.equal(damaged.code, 1)
    t.match(damaged.out, /: failed, .*\nerror: .* is damaged: 40 files unexpected\n/)
    t.equal(damaged.out.match(/^unexpected: data\/more/gm)?.length, 32)
    const [, where = ''] = /^all of them: (.*)$/m.exec(damaged.out) ?? []
    const all = where.startsWith('http')
      ? await (await fetch(where, { headers: { authorization: `Bearer ${adminToken}` } })).text()
      : readFileSync(where, 'utf8')
    t.equal(all.trim().split('\n').length, 40)
    const json = await run(['verify', arcBackupId, '--level', 'quick', '--json', ...args], env)
    t.match(json, { code: 1 })
    t.match(JSON.parse(json.out), { verified: 'damaged', unexpected_files: 40, requested_by: /\w/ })
  }
  const noFolder = { ARC_BACKUP_STATE_PATH: `${folder}/arc.toml` }
  t.match(await run(['verify', arcBackupId], noFolder), { code: 1, err: /cannot use backup\.state_path .*arc\.toml/ })
  t.match(await run(['verify', 'backup-20261123-103045-00000000']), { code: 1, err: /Backup not found/ })
  t.match(await run(['verify', arcBackupId, '--level', 'deeper']), {
    code: 2,
    err: /must be "quick", "full" or "deep"/,
  })
  t.match(await run(['verify']), { code: 2 })
  t.match(await run(['verify', 'nonsense']), { code: 2 })
})

t.test('a service that uses the state is busy for others', async (t) => {
  const { folder, run } = prepare(t)
  await startTestService(t, { folder })
  for (const args of [['backup'], ['restore', arcBackupId, '--yes'], ['delete', arcBackupId, '--yes']]) {
    t.match(await run(args), { code: 3, out: '', err: /^arc-backup: / }, args.join(' '))
  }
  t.match(await run(['serve']), { code: 3 })
  t.match(await run(['list']), { code: 0 })
})

t.test('with --url a service is asked, with the token of the environment', async (t) => {
  const { folder, run } = prepare(t)
  const { service } = await startTestService(t, { folder })
  const url = ['--url', service.url]
  t.match(await run(['list', ...url]), { code: 1, err: /Authentication required/ })
  t.match(await run(['list', ...url], { ARC_TOKEN: 'bad' }), { code: 1, err: /Invalid or expired token/ })
  const env = { ARC_TOKEN: adminToken }
  t.match(await run(['list', ...url], env), { code: 0, out: new RegExp(`\\n${arcBackupId} `) })
  const { code, out } = await run(['backup', '--json', ...url], env)
  t.equal(code, 0)
  const id = String((JSON.parse(out) as Record<string, unknown>).backup_id)
  t.match(await run(['status', ...url], env), { code: 0, out: new RegExp(`^backup ${id}: completed, 36 files, `) })
  t.match(await run(['limits', ...url], env), { code: 0, out: /^bandwidth {2}none\nmemory .*\npriority {3}normal\n/ })
  t.match(await run(['limits', '--bandwidth', '20 MB/s', ...url], env), { code: 0, out: /^bandwidth {2}20MB\/s\n/ })
  t.match(await run(['limits', '--bandwidth', 'fast', ...url], env), { code: 2, err: /bandwidth_limit must be a rate/ })
  t.match(await run(['show', 'nope', ...url], env), { code: 2, err: /Invalid backup ID format/ })
  t.match(await run(['delete', id, '--yes', ...url], env), { code: 0, out: `deleted ${id}\n` })
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} cancels, on the files themselves`, async (t) => {
    const { folder, env } = arcFolder(t)
    for (let i = 0; i < 4; i += 1) {
      writeFileSync(`${folder}/data/arc/metrics/cpu/big${i}.parquet`, Buffer.alloc(64 << 20, i))
    }
    const before = process.listenerCount(signal)
    const terminal = new TestTerminal(env)
    const ended = runProgram(['backup', '--json'], terminal.terminal)
    // Before the first await has come back: it counts from the start.
    while (process.listenerCount(signal) === before) await new Promise((resolve) => setImmediate(resolve))
    process.kill(process.pid, signal)
    t.equal(await ended, 1)
    t.match(JSON.parse(terminal.out), { status: 'failed', outcome: 'cancelled' })
    t.match(terminal.err, 'cancelling')
    t.equal(process.listenerCount(signal), before)
  })
}

t.test('Ctrl-C cancels through a service; one that has no such thing says so', async (t) => {
  const asked: string[] = []
  let cancelled = false
  let knowsCancel = true
  const url = await answerWith(t, ({ method, url: path }, response) => {
    asked.push(`${method} ${path}`)
    const send = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body))
    if (path?.endsWith('/cancel')) {
      cancelled = true
      return knowsCancel ? send(202, {}) : send(405, { error: 'Method Not Allowed' })
    }
    if (method === 'POST') return send(202, { backup_id: 'b' })
    if (!cancelled && asked.length === 3) process.kill(process.pid, 'SIGINT')
    const status = { operation: 'backup', backup_id: 'b' }
    return send(
      200,
      cancelled ? { ...status, status: 'failed', outcome: 'cancelled' } : { ...status, status: 'running' },
    )
  })
  const run = async () => {
    asked.length = 0
    cancelled = false
    const terminal = new TestTerminal({ ARC_TOKEN: 'x' })
    const code = await runProgram(['backup', '--url', url], terminal.terminal)
    return { code, out: terminal.out, err: terminal.err }
  }
  t.match(await run(), { code: 1, out: 'backup b: cancelled\n', err: /\ncancelling\n$/ })
  t.ok(asked.includes('POST /api/v1/backup/cancel'))
  knowsCancel = false
  t.match(await run(), { code: 1, err: /\ncancelling\narc-backup: .* says: Method Not Allowed\n/ })
})

t.test('Ctrl-C before an operation that is refused cancels nothing', async (t) => {
  const asked: string[] = []
  const url = await answerWith(t, ({ url: path }, response) => {
    asked.push(String(path))
    process.kill(process.pid, 'SIGINT')
    setTimeout(() => response.writeHead(409).end('{"error":"busy"}'), 50)
  })
  const terminal = new TestTerminal({})
  t.equal(await runProgram(['backup', '--url', url], terminal.terminal), 3)
  t.same(asked, ['/api/v1/backup'])
  t.match(terminal.err, /cancelling\narc-backup: .* says: busy\n$/)
})

t.test('serve ends with the code of the service', async (t) => {
  const { run } = prepare(t)
  const before = process.listenerCount('SIGTERM')
  const served = run(['serve'], { ARC_LOG_LEVEL: 'error' })
  while (process.listenerCount('SIGTERM') === before) await new Promise((resolve) => setImmediate(resolve))
  process.kill(process.pid, 'SIGTERM')
  t.match(await served, { code: 0, out: '', err: '' })
  t.match(await run(['serve'], { ARC_BACKUP_ENABLED: 'false' }), { code: 2, err: /backup\.enabled is false/ })
})

t.test('what is thrown is told, whatever it is', async (t) => {
  const terminal = new TestTerminal({})
  const stdout = {
    write: () => {
      throw 'no error at all'
    },
  }
  const { env } = arcFolder(t)
  const code = await runProgram(['list'], {
    ...terminal.terminal,
    stdin: terminal.terminal.stdin,
    stderr: terminal.terminal.stderr,
    stdout: stdout as unknown as NodeJS.WriteStream,
    env,
  })
  t.equal(code, 1)
  t.match(terminal.err, 'arc-backup: no error at all\n')
})

t.test('what a restore moved aside comes back by undo, but where there is a file of its name again', async (t) => {
  const { folder, run } = prepare(t)
  const { backup_id: id } = JSON.parse((await run(['backup', '--json'])).out) as { backup_id: string }
  const hour = `${folder}/data/arc/metrics/cpu/2026/01/01/03`
  const newer = ['a', 'b'].map((name) => `${hour}/${name}_compacted.parquet`)
  for (const path of newer) writeFileSync(path, path)
  const restored = await run(['restore', id, '--yes', '--no-metadata', '--mode', 'replace', '--json'])
  const { operation_id: operation } = JSON.parse(restored.out) as { operation_id: string }
  t.same(newer.filter(existsSync), [])
  t.match(await run(['sweep', '--dry-run']), { code: 0, out: 'nothing to sweep\n' }, 'they are kept for a while')
  writeFileSync(newer[0] ?? '', 'newer still')
  t.match(await run(['undo', operation]), {
    code: 1,
    out: /^1 files are back\nleft aside, because there is a file of its name again: .*a_compacted\.parquet\n$/,
  })
  t.equal(readFileSync(newer[0] ?? '', 'utf8'), 'newer still')
  t.equal(readFileSync(newer[1] ?? '', 'utf8'), newer[1])
  rmSync(newer[0] ?? '')
  t.equal((await run(['undo', operation, '--json'])).code, 0)
  t.equal(readFileSync(newer[0] ?? '', 'utf8'), newer[0])
  t.match(await run(['undo', operation]), { code: 2, err: /has moved no files aside/ })
  t.match(await run(['undo', 'ffffffffffff']), { code: 1, err: /Operation not found/ })
})

t.test('what was interrupted is resumed, or given up; what was left is swept', async (t) => {
  const { folder, run } = prepare(t)
  writeFileSync(`${folder}/data/arc/metrics/cpu/big.parquet`, Buffer.alloc(192 << 20, 1))
  const interrupt = async (): Promise<string> => {
    const { call, service } = await startTestService(t, { folder })
    const { json } = await call('POST', '', { incremental: false })
    await service.close()
    return String(json.operation_id)
  }
  const first = await interrupt()
  t.match(await run(['status']), { code: 0, out: /: interrupted, / })
  t.match(await run(['resume', first]), { code: 0, out: /^backup .*: completed, 37 files/ })
  t.match(await run(['resume', first]), { code: 2, err: /was not interrupted/ })
  const second = await interrupt()
  t.match(await run(['discard', second]), { code: 0, out: `discarded ${second}\n` })
  t.match(await run(['discard', second, '--json']), { code: 2, err: /was not interrupted/ })
  t.match(JSON.parse((await run(['list', '--json'])).out), { count: 2 })

  mkdirSync(`${folder}/data/arc-backup/operations/ffffffffffff`)
  const swept = /operations\/ffffffffffff: its operation has ended\n$/
  t.match(await run(['sweep', '--dry-run']), { code: 0, out: swept })
  t.match(await run(['sweep']), { code: 0, out: swept })
  t.match(await run(['sweep', '--json']), { code: 0, out: '{"swept":[]}\n' })
  for (const command of [['sweep'], ['undo', first]]) {
    const remote = await run([...command, '--url', 'http://127.0.0.1:1'])
    t.match(remote, { code: 2, err: /works on the files themselves, not with --url/ })
  }
  const bad = await run(['resume', 'nonsense', '--url', 'http://127.0.0.1:1'])
  t.match(bad, { code: 2, err: /"nonsense" is no operation's id/ })
})

t.test('a plan of a restore, for people', async (t) => {
  const { folder, run } = prepare(t)
  const { backup_id: id } = JSON.parse((await run(['backup', '--json'])).out) as { backup_id: string }
  rmSync(`${folder}/data/arc/metrics/mem`, { recursive: true })
  const before = hashTree(`${folder}/data/arc`)
  const { code, out } = await run(['restore', id, '--plan'])
  t.equal(code, 0)
  t.match(out, /^FILES +COUNT +SIZE\nnew +6 +\S+ KiB\n/)
  t.match(out, /\nspace: .* needed, .* free\n/)
  t.match(out, /\nplan: \S+\n$/)
  t.same(hashTree(`${folder}/data/arc`), before)
})

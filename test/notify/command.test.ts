import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ofCommands } from '../../src/config/unknown.js'
import { runCommand } from '../../src/notify/command.js'
import { news, openLog } from './scene.js'

function script(t: Test, text: string) {
  const folder = t.testdir({})
  const path = `${folder}/a command.sh`
  writeFileSync(path, text, { mode: 0o755 })
  return { folder, path }
}

t.test('it gets the operation as JSON, a few variables, and nothing else of ours', async (t) => {
  const { folder, path } = script(
    t,
    '#!/bin/sh\ncd "$(dirname "$0")"\ncat > input\nenv > variables\necho "$#" > arguments\n',
  )
  process.env.ARC_BACKUP_WEBHOOK_SECRET = 'SENTINEL'
  t.teardown(() => delete process.env.ARC_BACKUP_WEBHOOK_SECRET)
  const { lines, log } = openLog()
  await runCommand({ path, timeoutMs: 10_000 }, news, log)
  t.same(JSON.parse(readFileSync(`${folder}/input`, 'utf8')), news.operation)
  t.equal(readFileSync(`${folder}/arguments`, 'utf8'), '0\n')
  const variables = Object.fromEntries(
    readFileSync(`${folder}/variables`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s, 2)),
  )
  t.match(variables, {
    PATH: process.env.PATH,
    ARC_BACKUP_EVENT: 'backup.completed',
    ARC_BACKUP_OPERATION: 'backup',
    ARC_BACKUP_OPERATION_ID: '0123456789ab',
    ARC_BACKUP_OUTCOME: 'completed',
    ARC_BACKUP_ID: 'backup-20261123-103045-c526b8a7',
    ARC_BACKUP_TARGET: 'local',
    ARC_BACKUP_ERROR_CODE: '',
    ARC_BACKUP_REQUESTED_BY: 'schedule',
  })
  t.same(
    Object.keys(variables)
      .filter((name) => name.startsWith('ARC'))
      .sort(),
    [...ofCommands].sort(),
  )
  t.same(
    lines.map(({ level }) => level),
    [20],
  )
})

t.test('what goes wrong with it is in the log, with what it said, and nowhere else', async (t) => {
  const { lines, log } = openLog()
  const failing = script(t, '#!/bin/sh\necho noise; echo "no mail today" >&2; exit 3\n')
  await runCommand({ path: failing.path, timeoutMs: 10_000 }, news, log)
  t.match(lines, [{ level: 40, message: 'the command ended with 3', said: 'no mail today\n', command: failing.path }])
  const large = { ...news, operation: { ...news.operation, more: 'x'.repeat(1 << 20) } }
  await runCommand({ path: failing.path, timeoutMs: 10_000 }, large, log)
  t.match(lines.at(-1), { message: 'the command ended with 3' }, 'who does not read its input')
  await runCommand({ path: `${failing.folder}/none`, timeoutMs: 10_000 }, news, log)
  t.match(lines.at(-1), { level: 40, message: 'the command cannot be run', err: { code: 'ENOENT' } })
  const strange = { ...news, operation: { ...news.operation, requested_by: 'a\0b' } }
  await runCommand({ path: failing.path, timeoutMs: 10_000 }, strange, log)
  t.match(lines.at(-1), { level: 40, message: 'the command cannot be run' })
})

t.test('when its time is over it ends, with all that it began', async (t) => {
  const { folder, path } = script(t, '#!/bin/sh\ncd "$(dirname "$0")"\nsleep 30 &\necho $! > pid\nwait\n')
  const { lines, log } = openLog()
  const began = performance.now()
  await runCommand({ path, timeoutMs: 2000 }, news, log)
  t.ok(performance.now() - began < 20_000)
  t.match(lines, [{ message: 'the command took longer than 2000 ms' }])
  const pid = Number(readFileSync(`${folder}/pid`, 'utf8'))
  for (let tries = 0; isThere(pid) && tries < 200; tries += 1) await sleep(10)
  t.notOk(isThere(pid))
})

t.test('what it leaves in the background keeps nobody waiting', async (t) => {
  const { folder, path } = script(t, '#!/bin/sh\ncd "$(dirname "$0")"\nsleep 30 &\necho $! > pid\n')
  const { lines, log } = openLog()
  await runCommand({ path, timeoutMs: 20_000 }, news, log)
  t.match(lines, [{ level: 20 }])
  process.kill(Number(readFileSync(`${folder}/pid`, 'utf8')))
})

function isThere(pid: number): boolean {
  try {
    // A dead one whose parent is gone may wait for init to take notice.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

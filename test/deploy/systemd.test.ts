import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { serve } from '../e2e/served.js'
import { copyFixture } from '../support/fixture.js'
import { root } from '../support/root.js'

const unit = `${root}deploy/systemd/arc-backup.service`
/** What `systemd-analyze security` may say, in tenths of its scale from 0 to 10. */
const mostExposure = 15
/** In the filter's sets, but kept out by other lines of the unit. */
const restricted = ['personality', 'unshare', 'setns', 'sched_setscheduler', 'sched_setattr']

function settingsOf(name: string): string {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(unit, 'utf8'))?.[1] ?? ''
}

t.test('systemd takes the unit as it is, and finds it well closed', async (t) => {
  const root = t.testdir({})
  for (const folder of ['etc/systemd/system', 'usr/local/bin', 'usr/lib/systemd/system'])
    mkdirSync(`${root}/${folder}`, { recursive: true })
  cpSync(unit, `${root}/etc/systemd/system/arc-backup.service`)
  writeFileSync(`${root}/${settingsOf('ExecStart').split(' ')[0]}`, '#!/bin/sh\n', { mode: 0o755 })
  for (const name of [
    'basic.target',
    'sysinit.target',
    'shutdown.target',
    'multi-user.target',
    'network-online.target',
    '-.mount',
  ])
    writeFileSync(
      `${root}/usr/lib/systemd/system/${name}`,
      name.endsWith('mount') ? '[Mount]\nWhat=none\nWhere=/\n' : '[Unit]\n',
    )
  analyze(['verify', `--root=${root}`, '--man=no', 'arc-backup.service'])
  analyze(['security', '--offline=true', `--threshold=${mostExposure}`, '--no-pager', unit])
  t.pass()
})

t.test('a service that backs up, verifies and restores makes no system call that the unit forbids', async (t) => {
  const output = `${t.testdirName}-calls`
  const trace = ['strace', '-f', '--seccomp-bpf', '-qq', '-o', output, '-e', `trace=!${allowedCalls().join(',')}`]
  execFileSync('strace', [...trace.slice(1), 'unshare', '--mount', 'true'])
  t.same(forbidden(output), ['unshare', 'mount'], 'what is forbidden is seen')

  const folder = t.testdir({})
  copyFixture(folder)
  const { program, call, settled } = await serve(t, folder, {}, trace)
  await call('POST', '')
  const { backup_id, ...backup } = await settled()
  t.match(backup, { outcome: 'completed' })
  const { operation_id } = await call('POST', `/${backup_id}/verify`, { level: 'deep' })
  while ((await call('GET', `/operations/${operation_id}`)).status === 'running');
  writeFileSync(`${folder}/data/arc/metrics/lost.parquet`, '')
  await call('POST', '/restore', { backup_id, confirm: true, mode: 'replace', restore_config: true })
  t.match(await settled(), { outcome: 'completed' })
  // The service itself: a signal to strace would only make it look away.
  const { pid } = program.child
  process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGTERM')
  t.match(await program.ended, { code: 0 })
  t.same(forbidden(output), [])
})

/** As strace takes them; `socket` is looked at more closely. */
function allowedCalls(): string[] {
  const all = settingsOf('SystemCallFilter').split(' ').flatMap(expand)
  return all.filter((name) => name !== 'socket' && !restricted.includes(name)).map((name) => `?${name}`)
}

/** Names of the calls that were traced, sockets of the families that are allowed left out. */
function forbidden(output: string): string[] {
  const families = settingsOf('RestrictAddressFamilies').split(' ')
  const calls = readFileSync(output, 'utf8').matchAll(/^\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\((AF_[A-Z0-9]+))?/gm)
  const bad = [...calls].filter(([, name, family = '']) => name !== 'socket' || !families.includes(family))
  return [...new Set(bad.map(([, name = '']) => name))]
}

/** A set of system calls, as this machine's systemd has it. */
function expand(set: string): string[] {
  const listed = analyze(['syscall-filter', '--no-pager', set]).split('\n')
  const members = listed.filter((line) => /^ +[@a-z]/.test(line)).map((line) => line.trim())
  return members.flatMap((member) => (member.startsWith('@') ? expand(member) : [member]))
}

function analyze(args: string[]): string {
  try {
    return execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: string; stdout?: string; stderr?: string }
    if (code === 'ENOENT') throw new Error("this test needs systemd-analyze: install Debian's package `systemd`")
    throw new Error(`systemd-analyze ${args[0]}: ${stdout.slice(-2000)}${stderr}`)
  }
}

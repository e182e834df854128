import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { signatureHeaders } from '../../src/notify/signature.js'
import { receive } from '../notify/scene.js'
import { copyFixture } from '../support/fixture.js'
import { runProgram } from '../support/process.js'
import { end, makeFolder, serve } from './served.js'

type Json = Record<string, unknown>
const secret = 'sixteen letters or more'

/** A program that keeps what it is told, a line each. */
function writeHook(folder: string, more = ''): void {
  const lines = ['#!/bin/sh', `cd ${folder}`, 'read -r told', 'echo "$ARC_BACKUP_EVENT $told" >> told', more, '']
  writeFileSync(`${folder}/hook.sh`, lines.join('\n'), { mode: 0o755 })
}

function told(folder: string): [event: string, operation: Json][] {
  if (!existsSync(`${folder}/told`)) return []
  const lines = readFileSync(`${folder}/told`, 'utf8').trimEnd().split('\n')
  return lines.map((line) => [line.split(' ', 1)[0] ?? '', JSON.parse(line.slice(line.indexOf('{')))])
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries > 1000) throw new Error('it did not come to that')
    await sleep(20)
  }
}

async function scene(t: Test) {
  const folder = t.testdir({})
  copyFixture(folder)
  // Whatever becomes of being told changes nothing.
  writeHook(folder, 'exit 1')
  const receiver = await receive(t, 500, 204)
  const env = {
    ARC_BACKUP_HOOKS_COMMAND: 'hook.sh',
    ARC_BACKUP_WEBHOOK_URL: receiver.url,
    ARC_BACKUP_WEBHOOK_SECRET: secret,
  }
  return { folder, receiver, env }
}

t.test('a program and a webhook are told of what completes, has gaps and fails, of whatever kind', async (t) => {
  const { folder, receiver, env } = await scene(t)
  const served = await serve(t, folder, env)
  const { call, settled } = served
  const { backup_id: id } = await call('POST', '')
  await settled()
  const { operation_id: verify } = await call('POST', `/${id}/verify`, { level: 'quick' })
  while ((await call('GET', `/operations/${verify}`)).status === 'running') await sleep(10)
  rmSync(`${folder}/data/backups/${id}/metadata/arc.db`)
  await call('POST', '/restore', { backup_id: id, confirm: true })
  await settled()
  await call('POST', '/prune', { keep_last: 1 })
  await settled()
  await until(() => told(folder).length === 4 && receiver.received.length === 5)
  t.same(
    told(folder).map(([event]) => event),
    ['backup.completed', 'verify.completed', 'restore.failed', 'prune.completed'],
  )
  t.match(told(folder)[0]?.[1], { operation: 'backup', backup_id: id, outcome: 'completed', requested_by: 'admin' })
  t.match(told(folder)[2]?.[1], { error: String, error_code: String, request: { backup_id: id } })
  const { received } = receiver
  t.same([received.length, new Set(received.map(({ headers }) => headers['webhook-id'])).size], [5, 4])
  for (const { headers, body } of received) {
    const at = Number(headers['webhook-timestamp']) * 1000
    t.equal(
      headers['webhook-signature'],
      signatureHeaders(secret, String(headers['webhook-id']), at, body)['webhook-signature'],
    )
  }
  const { stdout } = await end(served, 'SIGTERM')
  t.match(stdout, /the webhook answered 500/)
  t.match(stdout, /the command ended with 1/)
})

t.test('of a backup that is interrupted they are told once, when it has ended', async (t) => {
  const folder = makeFolder(t)
  writeHook(folder)
  const env = { ARC_BACKUP_HOOKS_COMMAND: 'hook.sh', ARC_BACKUP_WORKERS: '1' }
  const first = await serve(t, folder, env)
  await first.call('POST', '')
  await first.reach('copying')
  await end(first, 'SIGTERM')
  t.same(told(folder), [])
  const second = await serve(t, folder, env)
  t.match(await second.settled(1), { outcome: 'completed' })
  await until(() => told(folder).length > 0)
  await end(second, 'SIGTERM')
  t.match(told(folder), [['backup.completed', { resumes: 1 }]])
  t.equal(told(folder).length, 1)
})

t.test('so does the command line, before it ends', async (t) => {
  const { folder, receiver, env } = await scene(t)
  const { code } = await runProgram(t, ['backup'], { cwd: folder, env })
  t.equal(code, 0)
  t.match(told(folder), [['backup.completed', { requested_by: 'command line' }]])
  t.equal(receiver.received.length, 2)
  const [, { backup_id: id }] = told(folder)[0] as [string, Json]
  rmSync(`${folder}/data/backups/${id}/metadata/arc.db`)
  const verify = await runProgram(t, ['verify', String(id), '--level', 'quick'], { cwd: folder, env })
  t.equal(verify.code, 1)
  t.match(told(folder)[1], ['verify.failed', { verified: 'damaged' }])
})

import { readdirSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { arcBackupId } from '../support/fixture.js'
import { growDatabase } from '../support/neighbour.js'
import { runProgram } from '../support/process.js'
import { hashTree } from '../support/tree.js'
import { makeFolder, serve } from './served.js'

/** An operation that is stopped leaves nothing; it takes three seconds. */
const clean = { ARC_BACKUP_ON_INTERRUPT: 'clean', ARC_BACKUP_BANDWIDTH_LIMIT: '256MB/s' }

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} while a backup runs: it ends as interrupted, and its debris is gone`, async (t) => {
    const { folder, program, call, reach } = await serve(t, makeFolder(t), clean)
    await call('POST', '')
    await reach('copying')
    const asked = Date.now()
    program.child.kill(signal)
    const { code, stdout } = await program.ended
    t.equal(code, 0)
    t.ok(Date.now() - asked < 10_000, 'within ten seconds')
    t.match(stdout, /"outcome":"interrupted"/)
    t.same(readdirSync(`${folder}/data/backups`), [arcBackupId])
    const { stdout: status } = await runProgram(t, ['status', '--json'], { cwd: folder })
    t.match(JSON.parse(status), { operation: 'backup', status: 'failed', outcome: 'interrupted', error: 'interrupted' })
    t.same(readdirSync(`${folder}/data/arc-backup/operations`), [])
  })
}

t.test('SIGTERM while a large arc.db is copied: the backup ends as interrupted', async (t) => {
  const { folder, program, call } = await serve(t, makeFolder(t), clean)
  growDatabase(`${folder}/data/arc.db`, 300_000)
  await call('POST', '')
  while ((await call('GET', '/status')).phase !== 'metadata') await sleep(5)
  program.child.kill('SIGTERM')
  const { code, stdout } = await program.ended
  t.equal(code, 0)
  t.match(stdout, /"outcome":"interrupted"/)
  t.same(readdirSync(`${folder}/data/backups`), [arcBackupId])
})

t.test('SIGTERM while a restore is staged: nothing has changed', async (t) => {
  const { folder, program, call, reach } = await serve(t, makeFolder(t), clean)
  const { backup_id } = await call('POST', '')
  while ((await call('GET', '/status')).status === 'running') await sleep(20)
  rmSync(`${folder}/data/arc/alpha_iot/cpu`, { recursive: true })
  const before = hashTree(`${folder}/data/arc`)
  await call('POST', '/restore', { backup_id, confirm: true })
  await reach('staging')
  program.child.kill('SIGTERM')
  const { code, stdout } = await program.ended
  t.equal(code, 0)
  t.match(stdout, /"operation":"restore".*"outcome":"interrupted"/)
  t.same(hashTree(`${folder}/data/arc`), before)
})

t.test('cancel ends a backup and leaves nothing; idle there is nothing to cancel', async (t) => {
  const { folder, program, call, reach } = await serve(t, makeFolder(t), clean)
  t.match(await call('POST', '/cancel'), { error: 'No operation is running' })
  const { operation_id } = await call('POST', '')
  await reach('copying')
  const { held_by } = await call('POST', '')
  t.match(held_by, { operation: operation_id, host: String, since: String }, 'who comes second learns who was first')
  t.match(await call('POST', '/cancel'), { status: 'running' })
  while ((await call('GET', '/status')).status === 'running') await sleep(5)
  t.match(await call('GET', '/status'), { status: 'failed', outcome: 'cancelled' })
  t.same(readdirSync(`${folder}/data/backups`), [arcBackupId])
  program.child.kill('SIGTERM')
  await program.ended
})

t.test('a port in use names the key; a second service on the same state names the first', async (t) => {
  const { folder, program } = await serve(t, makeFolder(t))
  const [, port] = await program.waitFor(/"url":"http:\/\/127\.0\.0\.1:(\d+)"/)
  const taken = await runProgram(t, ['serve'], {
    cwd: folder,
    env: { ARC_BACKUP_PORT: String(port), ARC_BACKUP_HOST: '127.0.0.1', ARC_BACKUP_STATE_PATH: './other' },
  })
  t.equal(taken.code, 2)
  t.match(taken.stderr, /the port is in use; set backup\.port/)
  const second = await runProgram(t, ['serve'], { cwd: folder, env: { ARC_BACKUP_PORT: '0' } })
  t.equal(second.code, 3)
  t.match(second.stderr, new RegExp(`process ${program.child.pid} on`))
  const busy = await runProgram(t, ['backup'], { cwd: folder })
  t.equal(busy.code, 3)
  program.child.kill('SIGTERM')
  await program.ended
})

import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { adminToken, arcBackupId, copyFixture } from '../support/fixture.js'
import { growDatabase } from '../support/neighbour.js'
import { runProgram, startProgram } from '../support/process.js'
import { hashTree } from '../support/tree.js'

const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }

/** A service process over Arc's fixture with some large files beside, so that an operation takes a while. */
async function serve(t: Test) {
  const folder = t.testdir({})
  copyFixture(folder)
  for (let index = 0; index < 6; index += 1) {
    writeFileSync(`${folder}/data/arc/metrics/cpu/big${index}.parquet`, Buffer.alloc(128 << 20, index))
  }
  const program = startProgram(t, ['serve'], {
    cwd: folder,
    env: { ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1' },
  })
  const [, url] = await program.waitFor(/"url":"([^"]+)"/)
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${url}/api/v1/backup${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return (await answer.json()) as Record<string, unknown>
  }
  const reach = async (phase: string): Promise<void> => {
    for (;;) {
      const status = await call('GET', '/status')
      if (status.phase === phase && Number(status.processed_bytes) > 0) return
      if (status.status !== 'running') throw new Error(`the operation ended before ${phase}: ${JSON.stringify(status)}`)
      await sleep(5)
    }
  }
  return { folder, program, call, reach }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} while a backup runs: it ends as interrupted, and its debris is gone`, async (t) => {
    const { folder, program, call, reach } = await serve(t)
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
  const { folder, program, call } = await serve(t)
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
  const { folder, program, call, reach } = await serve(t)
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

t.test('killed: after the restart the operation is on record as interrupted', async (t) => {
  const { folder, program, call, reach } = await serve(t)
  const { operation_id } = await call('POST', '')
  await reach('copying')
  program.child.kill('SIGKILL')
  await program.ended
  const again = startProgram(t, ['serve'], {
    cwd: folder,
    env: { ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1' },
  })
  const [, url] = await again.waitFor(/"url":"([^"]+)"/)
  const get = async (path: string) => (await (await fetch(`${url}/api/v1/backup${path}`, { headers })).json()) as object
  const interrupted = { operation_id, status: 'failed', outcome: 'interrupted', error: 'the service was killed' }
  t.match(await get('/status'), interrupted)
  t.match(await get(`/operations/${operation_id}`), { ...interrupted, requested_by: 'admin' })
  t.match(await get('/operations'), { count: 1, operations: [interrupted] })
  again.child.kill('SIGTERM')
  await again.ended
})

t.test('cancel ends a backup and leaves nothing; idle there is nothing to cancel', async (t) => {
  const { folder, program, call, reach } = await serve(t)
  t.same(await call('POST', '/cancel'), { error: 'No operation is running' })
  await call('POST', '')
  await reach('copying')
  t.match(await call('POST', '/cancel'), { status: 'running' })
  while ((await call('GET', '/status')).status === 'running') await sleep(5)
  t.match(await call('GET', '/status'), { status: 'failed', outcome: 'cancelled' })
  t.same(readdirSync(`${folder}/data/backups`), [arcBackupId])
  program.child.kill('SIGTERM')
  await program.ended
})

t.test('a port in use names the key; a second service on the same state names the first', async (t) => {
  const { folder, program } = await serve(t)
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

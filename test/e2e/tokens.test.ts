import { rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import t from 'tap'
import { arcBackupId, facts } from '../support/fixture.js'
import { startTestService } from '../support/service.js'

const bootstrap = 'a-bootstrap-token-of-more-than-32-characters'

t.test('on a bare machine the bootstrap token restores, and then the restored tokens count', async (t) => {
  const { folder, call } = await startTestService(t, { env: { ARC_AUTH_BOOTSTRAP_TOKEN: bootstrap } })
  const as = (token: unknown) => ({ authorization: `Bearer ${token}` })
  rmSync(`${folder}/data/arc.db`)
  rmSync(`${folder}/data/arc`, { recursive: true })
  t.equal((await call('GET', '')).status, 401, 'no token is known')
  const started = await call('POST', '/restore', { backup_id: arcBackupId, confirm: true }, as(bootstrap))
  t.equal(started.status, 202)
  for (;;) {
    const { json, status } = await call('GET', '/status', undefined, as(bootstrap))
    t.equal(status, 200, 'who began the restore may see how it ends')
    if (json.status === 'running') continue
    t.match(json, { status: 'completed' })
    break
  }
  t.equal((await call('GET', '')).status, 200, "Arc's tokens are back")
  t.equal((await call('GET', '', undefined, as(bootstrap))).status, 401, 'the bootstrap token is no longer accepted')
  t.equal(
    (await call('GET', '/status', undefined, as(bootstrap))).status,
    200,
    'but for the status of its own operation',
  )
  t.equal((await call('DELETE', `/${arcBackupId}`, undefined, as(bootstrap))).status, 401)
  t.equal((await call('GET', '/status', undefined, as(facts.tokens.revoked_admin))).status, 401)
})

t.test("a database that can't be read is not one without tokens", async (t) => {
  const { folder, call } = await startTestService(t, { env: { ARC_AUTH_BOOTSTRAP_TOKEN: bootstrap } })
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${folder}/data/arc.db`, 'this is not SQLite'.repeat(100))
  for (const token of [bootstrap, facts.tokens.admin2]) {
    const answer = await call('GET', '', undefined, { authorization: `Bearer ${token}` })
    t.equal(answer.status, 503)
    t.match(answer.json.error, /cannot check tokens/)
  }
})

t.test('what Arc changes counts at once', async (t) => {
  const { folder, call } = await startTestService(t)
  const arc = new Database(`${folder}/data/arc.db`)
  t.teardown(() => arc.close())
  const status = async () =>
    (await call('GET', '', undefined, { authorization: `Bearer ${facts.tokens.admin2}` })).status
  t.equal(await status(), 200)
  arc.exec("UPDATE api_tokens SET permissions = 'read' WHERE name = 'alpha-admin2'")
  t.equal(await status(), 403)
  arc.exec("UPDATE api_tokens SET permissions = 'admin', last_used_at = '2026-01-01' WHERE name = 'alpha-admin2'")
  t.equal(await status(), 200)
  arc.exec("UPDATE api_tokens SET enabled = 0 WHERE name = 'alpha-admin2'")
  t.equal(await status(), 401)
})

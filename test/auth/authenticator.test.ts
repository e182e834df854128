import { renameSync, rmSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import {
  type Authenticator,
  type AuthenticatorOptions,
  openAuthenticator,
  requireAdmin,
} from '../../src/auth/authenticator.js'
import { sha256 } from '../../src/auth/token-hash.js'
import { adminToken, facts } from '../support/fixture.js'
import { type Arc, openArc, quickHash } from './scene.js'

const invalid = { code: 'UNAUTHENTICATED', status: 401, message: 'Invalid or expired token' }
const bootstrapToken = 'a-bootstrap-token-of-more-than-32-characters'

function open(t: Test, dbPath: string, options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const defaults = { cacheTtlMs: 300_000, maxCacheSize: 1000, bootstrapToken: null, concurrency: 1 }
  const authenticator = openAuthenticator({ ...defaults, ...options, dbPath })
  t.teardown(() => authenticator.close())
  return authenticator
}

/** Arc's database without the rows from before there were prefixes: a token that is unknown costs no hash. */
function withoutLegacy(arc: Arc): Arc {
  arc.db.exec("DELETE FROM api_tokens WHERE token_prefix = '__legacy__'")
  return arc
}

/** Lets the time pass for whoever asks for it. */
function holdClock(t: Test): { pass(ms: number): void } {
  let now = Date.now()
  t.intercept(Date, 'now', { value: () => now })
  return {
    pass: (ms) => {
      now += ms
    },
  }
}

t.test('every token that a real Arc made has the verdict that Arc gave', async (t) => {
  const arc = openArc(t)
  const authenticator = open(t, arc.path, { concurrency: 2 })
  for (const [name, status] of Object.entries(facts.verdicts_of_GET_backup)) {
    const verdict = authenticator.authenticate(String(facts.tokens[name]))
    if (status === 401) await t.rejects(verdict, invalid, name)
    else t.equal((await verdict).admin, status === 200, name)
  }
  t.same(await authenticator.authenticate(adminToken), {
    name: 'admin',
    permissions: ['read', 'write', 'delete', 'admin'],
    admin: true,
    credentialHash: sha256(adminToken),
  })
})

t.test('who must be an admin', async (t) => {
  const held = { name: 'x', permissions: [], credentialHash: '' }
  t.doesNotThrow(() => requireAdmin({ ...held, admin: true }))
  t.throws(() => requireAdmin({ ...held, admin: false }), {
    code: 'FORBIDDEN',
    status: 403,
    message: 'Permission denied: admin required',
  })
})

t.test('no token, and one that is longer than any', async (t) => {
  const authenticator = open(t, openArc(t).path)
  for (const none of [null, '']) {
    await t.rejects(authenticator.authenticate(none), { code: 'UNAUTHENTICATED', message: 'Authentication required' })
  }
  await t.rejects(authenticator.authenticate('x'.repeat(100_000)), invalid)
  t.equal(authenticator.hashes, 0)
})

t.test('permissions are words between commas, and nothing is trimmed', async (t) => {
  const arc = openArc(t)
  const authenticator = open(t, arc.path)
  const cases: [string | null, string[]][] = [
    ['admin', ['admin']],
    ['read,admin', ['read', 'admin']],
    ['read, admin', ['read', ' admin']],
    ['admin ', ['admin ']],
    ['Admin', ['Admin']],
    ['administrator', ['administrator']],
    ['read,,write', ['read', '', 'write']],
    ['', []],
    [null, []],
  ]
  for (const [text, permissions] of cases) {
    const token = `token ${text}`
    arc.add({ name: token, token, permissions: text })
    const verdict = await authenticator.authenticate(token)
    t.same(verdict.permissions, permissions, String(text))
    t.equal(verdict.admin, permissions.includes('admin'), String(text))
  }
})

t.test('expiry', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path)
  const inAnHour = new Date(Date.now() + 3600_000).toISOString()
  const anHourAgo = new Date(Date.now() - 3600_000).toISOString()
  const valid = [
    null,
    inAnHour,
    `${inAnHour.slice(0, 19).replace('T', ' ')}.123456789+00:00`,
    Math.floor(Date.now() / 1000) + 60,
    Date.now() + 60_000,
    // The offset is the server's own: 13 hours ahead of UTC this is still to come.
    `${new Date(Date.now() + 14 * 3600_000).toISOString().slice(0, 19)}+13:00`,
  ]
  const expired = [
    anHourAgo,
    Math.floor(Date.now() / 1000) - 60,
    Date.now() - 60_000,
    `${inAnHour.slice(0, 19)}+02:00`,
    '0001-01-01 00:00:00+00:00',
    `${inAnHour.slice(0, 19).replace('T', ' ')}.5 +0000 UTC m=+3600.5`,
    'never',
    '',
  ]
  for (const expiresAt of valid) {
    arc.add({ name: `valid ${expiresAt}`, token: `valid ${expiresAt}`, expiresAt })
    t.match(await authenticator.authenticate(`valid ${expiresAt}`), { admin: true }, String(expiresAt))
  }
  for (const expiresAt of expired) {
    arc.add({ name: `expired ${expiresAt}`, token: `expired ${expiresAt}`, expiresAt })
    await t.rejects(authenticator.authenticate(`expired ${expiresAt}`), invalid, String(expiresAt))
  }
})

t.test('a token expires while its verdict is kept', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path)
  const clock = holdClock(t)
  arc.add({ name: 'short', token: 'short', expiresAt: Date.now() + 1000 })
  await authenticator.authenticate('short')
  clock.pass(1000)
  await authenticator.authenticate('short')
  clock.pass(1)
  await t.rejects(authenticator.authenticate('short'), invalid)
  t.equal(authenticator.hashes, 1)
})

t.test('the first row that matches decides, also where it has expired', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path)
  arc.add({ name: 'first', token: 'same', expiresAt: '2020-01-01' })
  arc.add({ name: 'second', token: 'same' })
  await t.rejects(authenticator.authenticate('same'), invalid)
  arc.db.exec("UPDATE api_tokens SET enabled = 0 WHERE name = 'first'")
  t.match(await authenticator.authenticate('same'), { name: 'second' })
})

t.test('a verdict is kept while Arc writes, as long as its row is the same', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path)
  const id = arc.add({ name: 'kept', token: 'kept' })
  const set = (change: string) => arc.db.exec(`UPDATE api_tokens SET ${change} WHERE id = ${id}`)
  const hashes = async () => {
    const before = authenticator.hashes
    await authenticator.authenticate('kept')
    return authenticator.hashes - before
  }
  t.equal(await hashes(), 1)
  t.equal(await hashes(), 0)
  for (const change of ["last_used_at = '2026-01-01 00:00:00'", "description = 'x'", 'enabled = 1']) {
    set(change)
    t.equal(await hashes(), 0, change)
  }
  arc.add({ name: 'another', token: 'another' })
  t.equal(await hashes(), 0, 'another row')

  set("permissions = 'read'")
  t.match(await authenticator.authenticate('kept'), { permissions: ['read'], admin: false })
  set("name = 'renamed'")
  t.match(await authenticator.authenticate('kept'), { name: 'renamed' })
  set("expires_at = '2020-01-01'")
  await t.rejects(authenticator.authenticate('kept'), invalid)
  set('expires_at = NULL')
  t.match(await authenticator.authenticate('kept'), { name: 'renamed' })
  set('enabled = 0')
  await t.rejects(authenticator.authenticate('kept'), invalid)
  set('enabled = 1')
  t.match(await authenticator.authenticate('kept'), { name: 'renamed' })
  set(`token_hash = '${quickHash('rotated')}'`)
  await t.rejects(authenticator.authenticate('kept'), invalid)
  set(`token_hash = '${quickHash('kept')}'`)
  t.match(await authenticator.authenticate('kept'), { name: 'renamed' })
  arc.db.exec(`DELETE FROM api_tokens WHERE id = ${id}`)
  await t.rejects(authenticator.authenticate('kept'), invalid)
})

t.test('a verdict is kept so long at most, and so many at most', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path, { cacheTtlMs: 1000, maxCacheSize: 2 })
  const clock = holdClock(t)
  for (const token of ['a', 'b', 'c']) arc.add({ name: token, token })
  const hashes = async (token: string) => {
    const before = authenticator.hashes
    await authenticator.authenticate(token)
    return authenticator.hashes - before
  }
  t.equal(await hashes('a'), 1)
  clock.pass(1000)
  t.equal(await hashes('a'), 0)
  clock.pass(1)
  t.equal(await hashes('a'), 1)
  t.equal(await hashes('b'), 1)
  t.equal(await hashes('c'), 1)
  t.equal(await hashes('b'), 0)
  t.equal(await hashes('a'), 1, 'the oldest had to go')

  const forgetful = open(t, arc.path, { maxCacheSize: 0 })
  await forgetful.authenticate('a')
  await forgetful.authenticate('a')
  t.equal(forgetful.hashes, 2)
})

t.test('requests with the same token at once share one hash', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path)
  arc.add({ name: 'shared', token: 'shared' })
  const verdicts = await Promise.all(Array.from({ length: 100 }, () => authenticator.authenticate('shared')))
  t.equal(verdicts.length, 100)
  t.equal(authenticator.hashes, 1)
})

t.test('what changes while a hash is computed counts for whoever comes after the change', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path)
  const id = arc.add({ name: 'raced', token: 'raced' })
  const before = authenticator.authenticate('raced')
  arc.db.exec(`UPDATE api_tokens SET permissions = 'read' WHERE id = ${id}`)
  const after = authenticator.authenticate('raced')
  t.match(await before, { admin: true }, 'it came before')
  t.match(await after, { admin: false })
  t.match(await authenticator.authenticate('raced'), { admin: false })

  const early = authenticator.authenticate('late')
  arc.add({ name: 'late', token: 'late' })
  const late = authenticator.authenticate('late')
  await t.rejects(early, invalid)
  t.match(await late, { name: 'late' })

  const valid = authenticator.authenticate('late')
  arc.db.exec("UPDATE api_tokens SET enabled = 0 WHERE name = 'late'")
  await t.rejects(authenticator.authenticate('late'), invalid)
  await valid
})

t.test('a bad token is remembered for a few seconds, also while Arc writes', async (t) => {
  const arc = openArc(t)
  arc.db.exec("DELETE FROM api_tokens WHERE name = 'alpha-spaced'")
  const authenticator = open(t, arc.path)
  const clock = holdClock(t)
  const hashes = async (token: string) => {
    const before = authenticator.hashes
    await t.rejects(authenticator.authenticate(token), invalid)
    return authenticator.hashes - before
  }
  t.equal(await hashes('bad'), 1, 'the legacy row')
  t.equal(await hashes('bad'), 0)
  t.equal(await hashes('worse'), 1)
  arc.db.exec("UPDATE api_tokens SET last_used_at = '2026-01-01', permissions = 'admin'")
  arc.add({ name: 'unrelated', token: 'unrelated' })
  t.equal(await hashes('bad'), 0)
  clock.pass(4999)
  t.equal(await hashes('bad'), 0)
  clock.pass(1)
  t.equal(await hashes('bad'), 1)
})

t.test('a token with the value of a bad one works at once', async (t) => {
  const arc = openArc(t)
  const authenticator = open(t, arc.path)
  await t.rejects(authenticator.authenticate('now good'), invalid)
  arc.add({ name: 'good', token: 'now good' })
  t.match(await authenticator.authenticate('now good'), { name: 'good' })
})

t.test('so many bad tokens are remembered at most', async (t) => {
  const arc = openArc(t)
  arc.db.exec("DELETE FROM api_tokens WHERE name = 'alpha-spaced'")
  const authenticator = open(t, arc.path, { maxCacheSize: 2 })
  for (const token of ['a', 'b', 'c']) await t.rejects(authenticator.authenticate(token), invalid)
  t.equal(authenticator.hashes, 3)
  await t.rejects(authenticator.authenticate('c'), invalid)
  t.equal(authenticator.hashes, 3)
  await t.rejects(authenticator.authenticate('a'), invalid)
  t.equal(authenticator.hashes, 4)
})

t.test('more bad tokens than the queue holds are sent away, and known ones are not', async (t) => {
  const arc = withoutLegacy(openArc(t))
  arc.add({ name: 'legacy', token: 'legacy', prefix: '__legacy__' })
  const authenticator = open(t, arc.path)
  await authenticator.authenticate(adminToken)
  const answers = Array.from({ length: 100 }, (_, i) =>
    authenticator.authenticate(`bad ${i}`).catch((error: { status: number; detail: unknown }) => error),
  )
  t.match(await authenticator.authenticate(adminToken), { name: 'admin' })
  const refused = (await Promise.all(answers)) as { status: number; detail: unknown }[]
  t.equal(refused.filter(({ status }) => status === 401).length, 65, 'one is looked at, 64 wait')
  const away = refused.filter(({ status }) => status === 429)
  t.equal(away.length, 35)
  t.match(away[0], { code: 'TOO_MANY_REQUESTS', detail: { retryAfterSeconds: 2 } })
  await t.rejects(authenticator.authenticate('bad 99'), invalid, 'who was sent away may come again')
})

t.test('as many hashes at once as there are cores, where nothing else is said', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const { availableParallelism } = await import('node:os')
  arc.add({ name: 'legacy', token: 'legacy', prefix: '__legacy__' })
  const { path: dbPath } = arc
  const authenticator = openAuthenticator({ dbPath, cacheTtlMs: 1000, maxCacheSize: 1000, bootstrapToken: null })
  t.teardown(() => authenticator.close())
  const attempts = 64 + availableParallelism() + 3
  const answers = await Promise.all(
    Array.from({ length: attempts }, (_, i) =>
      authenticator.authenticate(`bad ${i}`).catch(({ code }) => String(code)),
    ),
  )
  t.equal(answers.filter((code) => code === 'TOO_MANY_REQUESTS').length, 3)
})

t.test('the bootstrap token is an admin until there are tokens', async (t) => {
  const arc = openArc(t)
  const path = `${t.testdirName}/new.db`
  const authenticator = open(t, path, { bootstrapToken })
  const admin = { name: 'bootstrap', admin: true, credentialHash: sha256(bootstrapToken) }
  t.match(await authenticator.authenticate(bootstrapToken), admin, 'no file')
  await t.rejects(authenticator.authenticate(`${bootstrapToken}x`), invalid)
  const db = new Database(path)
  t.teardown(() => db.close())
  db.exec('CREATE TABLE other (id INTEGER)')
  t.match(await authenticator.authenticate(bootstrapToken), admin, 'no table')
  const { sql } = arc.db.prepare("SELECT sql FROM sqlite_master WHERE name = 'api_tokens'").get() as { sql: string }
  db.exec(sql)
  t.match(await authenticator.authenticate(bootstrapToken), admin, 'no row')
  db.exec("INSERT INTO api_tokens (name, token_hash, enabled) VALUES ('revoked', 'x', 0)")
  await t.rejects(authenticator.authenticate(bootstrapToken), invalid, 'one row, even a revoked one')
  db.exec('DELETE FROM api_tokens')
  t.match(await authenticator.authenticate(bootstrapToken), admin, 'none again')
  await t.rejects(open(t, path).authenticate(bootstrapToken), invalid, 'no bootstrap token is configured')
  await t.rejects(open(t, arc.path, { bootstrapToken }).authenticate(bootstrapToken), invalid)
})

t.test("a database that can't be read is never one without tokens", async (t) => {
  const arc = openArc(t)
  const path = `${t.testdirName}/damaged.db`
  writeFileSync(path, 'this is not SQLite'.repeat(100))
  const authenticator = open(t, path, { bootstrapToken })
  const refusal = { code: 'UNAVAILABLE', status: 503, message: /cannot check tokens/ }
  for (const token of [bootstrapToken, adminToken, 'bad']) await t.rejects(authenticator.authenticate(token), refusal)

  // Also where the verdict is kept already.
  arc.db.pragma('journal_mode = DELETE')
  const good = open(t, arc.path, { bootstrapToken })
  await good.authenticate(adminToken)
  arc.db.exec('BEGIN EXCLUSIVE')
  for (const token of [bootstrapToken, adminToken, 'bad']) await t.rejects(good.authenticate(token), refusal)
  arc.db.exec('ROLLBACK')
  const before = good.hashes
  t.match(await good.authenticate(adminToken), { name: 'admin' })
  t.equal(good.hashes, before)
  await t.rejects(good.authenticate(bootstrapToken), invalid)
})

t.test('a restored file counts at once', async (t) => {
  const arc = withoutLegacy(openArc(t))
  const authenticator = open(t, arc.path)
  arc.add({ name: 'both', token: 'both' })
  arc.db.exec(`VACUUM INTO '${arc.path}.next'`)
  const next = new Database(`${arc.path}.next`)
  next.exec("DELETE FROM api_tokens WHERE name = 'admin'")
  next.close()
  for (const token of [adminToken, 'both']) await authenticator.authenticate(token)
  const before = authenticator.hashes
  for (const suffix of ['-wal', '-shm']) rmSync(`${arc.path}${suffix}`, { force: true })
  renameSync(`${arc.path}.next`, arc.path)
  await t.rejects(authenticator.authenticate(adminToken), invalid)
  t.match(await authenticator.authenticate('both'), { name: 'both' })
  t.equal(authenticator.hashes, before, 'the same row in another file is the same token')
})

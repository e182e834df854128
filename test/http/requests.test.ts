import t from 'tap'
import { parseCreate, parseRestore } from '../../src/http/requests.js'
import { arcBackupId } from '../support/fixture.js'
import { startApi } from './scene.js'

const base = { backup_id: arcBackupId, confirm: true }
const flags = {
  create: ['include_metadata', 'include_config'],
  restore: ['confirm', 'restore_data', 'restore_metadata', 'restore_config', 'all_or_nothing'],
}
const noFlag = ['true', '', 'yes', 0, 1, 1.5, [], [true], {}, { true: true }]
const noDatabases: [value: unknown, why: RegExp][] = [
  [[], /must name at least one database/],
  ['metrics', /must be an array of names/],
  [{}, /must be an array of names/],
  [{ length: 1, 0: 'metrics' }, /must be an array of names/],
  [1, /must be an array of names/],
  [true, /must be an array of names/],
  [[1], /must be an array of names/],
  [[null], /must be an array of names/],
  [['metrics', ['x']], /must be an array of names/],
  [[''], /must be names of databases, not ""/],
  [['..'], /must be names of databases, not "\.\."/],
  [['.hidden'], /must be names of databases/],
  [['a/b'], /must be names of databases, not "a\/b"/],
  [['a\0b'], /must be names of databases/],
  [['_schema'], /must be names of databases/],
  [['_compaction_state'], /must be names of databases/],
  [['x'.repeat(256)], /must be names of databases, not "x{80}"$/],
  [['metrics', 'other', 'metrics'], /must not name "metrics" twice/],
  [Array.from({ length: 257 }, (_, index) => `db${index}`), /must not name more than 256 databases/],
  [Array.from({ length: 100_000 }, () => 7), /must not name more than 256 databases/],
]

t.test('every field of a wrong type is refused by name, and nothing starts', async (t) => {
  const { post, engine } = await startApi(t)
  for (const field of flags.create) {
    for (const value of noFlag) {
      const answer = await post('/api/v1/backup', { [field]: value })
      const name = `${field}: ${JSON.stringify(value)}`
      t.equal(answer.status, 400, name)
      t.equal(answer.arcs, `{"error":"Invalid request body: ${field} must be true or false"}`, name)
    }
  }
  const refused = async (fields: object, why: RegExp | string): Promise<void> => {
    const answer = await post('/api/v1/backup/restore', { ...base, ...fields })
    const name = JSON.stringify(fields).slice(0, 60)
    t.equal(answer.status, 400, name)
    t.match(answer.json, { error: 'Invalid request body', detail: why }, name)
  }
  for (const field of flags.restore) {
    for (const value of noFlag) await refused({ [field]: value }, `${field} must be true or false`)
  }
  for (const value of [1, true, [], {}, [arcBackupId]])
    await refused({ backup_id: value }, 'backup_id must be a string')
  for (const value of [1, true, [], {}]) {
    await refused({ target: value }, 'target must be the name of a target')
    const answer = await post('/api/v1/backup', { target: value })
    t.equal(answer.arcs, '{"error":"Invalid request body: target must be the name of a target"}')
  }
  for (const value of ['', 'Merge', 'both', 1, true, [], {}]) {
    await refused({ mode: value }, 'mode must be "merge" or "replace"')
    await refused({ staging: value }, 'staging must be "all" or "file"')
  }
  for (const [value, why] of noDatabases) {
    await refused({ databases: value }, why)
    const answer = await post('/api/v1/backup', { databases: value })
    t.match(answer, { status: 400, json: { error: /^Invalid request body: databases / } })
    t.match(answer.json.error, why)
  }
  t.same(engine.asked, [])
})

t.test('several wrong fields are all named', async (t) => {
  const { post } = await startApi(t)
  const { json } = await post('/api/v1/backup', { include_metadata: 1, include_config: 2, databases: [] })
  t.match(json.error, /include_metadata .*; include_config .*; databases /)
})

t.test('the defaults of a create', async (t) => {
  t.same(parseCreate(undefined), { includeMetadata: true })
  t.same(parseCreate({}), { includeMetadata: true })
  t.same(parseCreate({ include_metadata: null, include_config: null, databases: null }), parseCreate({}))
  t.same(parseCreate({ include_metadata: false }), { includeMetadata: false })
  t.same(parseCreate({ include_config: false }), { includeMetadata: true, includeConfig: false })
  const scoped = { includeMetadata: false, databases: ['metrics'] }
  t.same(parseCreate({ databases: ['metrics'] }), scoped)
  t.same(parseCreate({ databases: ['metrics'], include_metadata: false, include_config: null }), scoped)
  const most = Array.from({ length: 256 }, (_, index) => `db${index}`)
  t.same(parseCreate({ databases: most }).databases, most)
  t.same(parseCreate({ databases: ['a.b', 'ä ö', '__proto__'] }).databases, ['a.b', 'ä ö', '__proto__'])
})

t.test('the defaults of a restore', async (t) => {
  const defaults = {
    backupId: arcBackupId,
    restoreData: true,
    restoreMetadata: true,
    restoreConfig: false,
    mode: 'merge',
    allOrNothing: false,
    staging: 'all',
    compare: 'hash',
  }
  t.same(parseRestore(base), defaults)
  const nulls = [
    'restore_data',
    'restore_metadata',
    'restore_config',
    'mode',
    'staging',
    'compare',
    'all_or_nothing',
    'databases',
  ]
  t.same(parseRestore({ ...base, ...Object.fromEntries(nulls.map((field) => [field, null])) }), defaults)
  const opposite = {
    restore_data: false,
    restore_metadata: false,
    restore_config: true,
    mode: 'replace',
    staging: 'file',
  }
  t.same(parseRestore({ ...base, ...opposite }), {
    ...defaults,
    restoreData: false,
    restoreMetadata: false,
    restoreConfig: true,
    mode: 'replace',
    staging: 'file',
  })
  t.match(parseRestore({ ...base, all_or_nothing: true, staging: 'all' }), { allOrNothing: true, staging: 'all' })
  t.match(parseRestore({ ...base, target: 's3' }), { target: 's3' })
  t.match(parseRestore({ ...base, target: 's3' }, 'other'), { target: 's3' })
  t.match(parseRestore(base, 'other'), { target: 'other' }, 'from the query')
  t.match(parseRestore({ ...base, databases: ['metrics'] }), { restoreMetadata: false, restoreConfig: false })
})

t.test('keys are matched as Go does', async (t) => {
  const { post, engine } = await startApi(t)
  t.equal((await post('/api/v1/backup', '{"INCLUDE_Metadata":false,"unknown":{"x":[1]},"__proto__":7}')).status, 202)
  t.equal((await post('/api/v1/backup', '{"include_config":true,"include_config":false}')).status, 202)
  t.equal((await post('/api/v1/backup', '{"include_config":true,"Include_Config":false}')).status, 202)
  t.same(
    engine.asked.map(({ request }) => request),
    [
      { includeMetadata: false },
      { includeMetadata: true, includeConfig: false },
      { includeMetadata: true, includeConfig: false },
    ],
  )
  t.equal(engine.asked.length, 3)
  t.equal((await post('/api/v1/backup/restore', `{"Backup_ID":"${arcBackupId}","CONFIRM":true}`)).status, 202)
})

t.test("Arc's order of checks: body, id, confirm, then ours", async (t) => {
  const { post } = await startApi(t)
  const error = async (body: unknown): Promise<unknown> => (await post('/api/v1/backup/restore', body)).json.error
  t.equal(await error({ backup_id: 'xyz', confirm: 'true' }), 'Invalid request body')
  const ids = ['', 'xyz', null, `${arcBackupId}/..`, `../${arcBackupId}`, arcBackupId.toUpperCase(), `${arcBackupId}\n`]
  for (const id of [...ids, 'backup-20261123-103045-C526B8A7', `${arcBackupId}%2f`, undefined]) {
    t.equal(await error({ backup_id: id }), 'Invalid or missing backup_id', String(id))
  }
  for (const confirm of [false, null, undefined]) {
    const text = 'Restore is a destructive operation. Set confirm: true to proceed.'
    t.equal(await error({ backup_id: arcBackupId, confirm, all_or_nothing: true, staging: 'file' }), text)
  }
  t.match(await error({ ...base, all_or_nothing: true, staging: 'file' }), /all_or_nothing needs staging "all"/)
})

t.test('one database must not roll back what concerns all', async (t) => {
  const { post, engine } = await startApi(t)
  const databases = ['metrics']
  for (const field of flags.create) {
    const answer = await post('/api/v1/backup', { databases, [field]: true })
    t.match(answer, { status: 400, json: { error: new RegExp(`^${field} must not be true with databases`) } })
  }
  for (const field of ['restore_metadata', 'restore_config']) {
    const answer = await post('/api/v1/backup/restore', { ...base, databases, [field]: true })
    t.match(answer, { status: 400, json: { error: new RegExp(`^${field} must not be true with databases`) } })
  }
  t.same(engine.asked, [])
})

t.test('what is no object is no restore', async (t) => {
  for (const body of [undefined, [], '', 'x', 1, true]) {
    t.throws(() => parseRestore(body), { code: 'REQUEST_INVALID', message: 'Invalid request body' })
  }
  for (const body of [null, [], '', 'x', 1, true]) t.throws(() => parseCreate(body), { code: 'REQUEST_INVALID' })
})

import { mkdirSync, rmSync } from 'node:fs'
import t from 'tap'
import { arcsPart } from '../support/arcs-part.js'
import { arcBackupId, facts } from '../support/fixture.js'
import { startTestService } from '../support/service.js'
import { countRows } from '../support/sql.js'
import { hashTree } from '../support/tree.js'

t.test('every token gets the verdict that Arc gave', async (t) => {
  const { call } = await startTestService(t)
  for (const [name, token] of Object.entries(facts.tokens)) {
    const { status } = await call('GET', '', undefined, { authorization: `Bearer ${token}` })
    t.equal(status, facts.verdicts_of_GET_backup[name], name)
  }
})

t.test('every probe gets the answer that Arc gave', async (t) => {
  const { service } = await startTestService(t)
  const headers: Record<string, Record<string, string>> = {
    'no token': {},
    'bad token': { authorization: 'Bearer nonsense' },
    reader: { authorization: `Bearer ${facts.tokens.reader}` },
  }
  const bodies: Record<string, string> = {
    'restore bad json': '{"backup_id":',
    'restore no id': '{}',
    'restore no confirm': `{"backup_id":"${arcBackupId}"}`,
    'restore confirm string': `{"backup_id":"${arcBackupId}","confirm":"true"}`,
  }
  for (const [name, [method, path, status, body]] of Object.entries(facts.probes)) {
    const answer = await fetch(service.url + path, {
      method,
      headers: {
        ...(headers[name] ?? { authorization: `Bearer ${facts.tokens.bootstrap_admin}` }),
        ...(bodies[name] !== undefined && { 'content-type': 'application/json' }),
      },
      ...(bodies[name] !== undefined && { body: bodies[name] }),
    })
    const text = await answer.text()
    if (name === 'delete unknown') {
      // On purpose: Arc answers 500 "Failed to delete backup".
      t.same([answer.status, arcsPart(text)], [404, '{"error":"Backup not found"}'], name)
      continue
    }
    t.equal(answer.status, status, name)
    const said = JSON.parse(text) as Record<string, unknown>
    const expected = JSON.parse(body) as Record<string, unknown>
    for (const [key, value] of Object.entries(expected)) t.same(said[key], value, `${name}: ${key}`)
    if (!('detail' in said)) t.equal(arcsPart(text), body, `${name}: to the letter`)
  }
})

t.test("Arc's own backup is listed, shown and restored, and its rows are all there", async (t) => {
  const { call, run, folder } = await startTestService(t)
  const { json: list } = await call('GET', '')
  t.match(list, {
    count: 1,
    backups: [{ backup_id: arcBackupId, total_files: 36, total_size_bytes: 83766, database_count: 2 }],
  })
  const { json: manifest } = await call('GET', `/${arcBackupId}`)
  t.match(manifest, { backup_id: arcBackupId, total_files: 36, has_metadata: true, has_config: true })
  const storage = `${folder}/data/arc`
  const before = hashTree(storage)
  rmSync(storage, { recursive: true })
  mkdirSync(storage)
  const status = await run('/restore', { backup_id: arcBackupId, confirm: true })
  t.match(status, { status: 'completed', outcome: 'completed', verified: false, missing_files: 0, processed_files: 36 })
  t.same(hashTree(storage), before)
  for (const [measurement, [, answer]] of Object.entries(facts.query_counts)) {
    const expected = (JSON.parse(answer) as { data: number[][] }).data[0]?.[0]
    t.equal(await countRows(storage, measurement), expected, measurement)
  }
})

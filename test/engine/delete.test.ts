import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { deleteBackup } from '../../src/engine/delete.js'
import { ServiceError } from '../../src/errors.js'
import { LocalStore } from '../../src/stores/local.js'
import { poolHere } from './scene.js'

const id = 'backup-20261123-103045-c526b8a7'
const marker = { instance: 'one', operation: 'x', kind: 'delete', host: 'here', since: '2026-11-23T10:30:00Z' } as const

t.test('who has lost the lock removes nothing; else everything goes, the manifest first', async (t) => {
  const root = t.testdir({})
  mkdirSync(`${root}/${id}/data`, { recursive: true })
  for (const path of ['manifest.json', 'data/a.parquet']) writeFileSync(`${root}/${id}/${path}`, path)
  const target = { name: 'local', store: new LocalStore(root), locked: true }
  const pool = poolHere({ stores: { 'target:local': { kind: 'local', root } } })
  const lost = async (): Promise<void> => {
    throw new ServiceError('LOCK_LOST', 'another writer took the lock')
  }
  await t.rejects(deleteBackup(target, pool, id, marker, lost), { code: 'LOCK_LOST' })
  t.same(readdirSync(`${root}/${id}`).sort(), ['.arc-backup.json', 'data', 'manifest.json'])
  t.same(readdirSync(`${root}/${id}/data`), ['a.parquet'])
  const { removed } = await deleteBackup(target, pool, id, marker, async () => {})
  t.notOk(readdirSync(root).includes(id) && readdirSync(`${root}/${id}`).includes('manifest.json'))
  await removed
  t.same(readdirSync(root), [])
})

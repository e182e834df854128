import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { entomb } from '../../src/engine/bury.js'
import { readTombstone } from '../../src/format/tombstone.js'
import { LocalStore } from '../../src/stores/local.js'

t.test('takes the name of a manifest, once; a manifest that has it is handed back and stays', async (t) => {
  const folder = t.testdir({})
  const store = new LocalStore(folder)
  const before = Date.now()
  t.equal(await entomb(store, 'one'), null)
  const tombstone = readFileSync(`${folder}/one/manifest.json`)
  t.ok((readTombstone(tombstone) ?? 0) >= before)
  t.equal(await entomb(store, 'one'), null, 'it is buried already')
  t.same(readFileSync(`${folder}/one/manifest.json`), tombstone, 'since when is as it was')

  mkdirSync(`${folder}/two`)
  writeFileSync(`${folder}/two/manifest.json`, '{"backup_id":"two"}')
  t.equal(String(await entomb(store, 'two')), '{"backup_id":"two"}')
  t.equal(readFileSync(`${folder}/two/manifest.json`, 'utf8'), '{"backup_id":"two"}')
})

t.test('where it can not be written, that is what is said', async (t) => {
  const folder = t.testdir({ file: '' })
  await t.rejects(entomb(new LocalStore(folder), 'file'), { code: 'PATH_INVALID' })
})

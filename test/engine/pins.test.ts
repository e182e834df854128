import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { isPinned, pinnedBy, pinPath, removePin, writePin } from '../../src/engine/pins.js'
import { LocalStore } from '../../src/stores/local.js'

const id = 'backup-20260102-030405-abcdef01'

t.test('a pin is a file beside the backup, that says who and when', async (t) => {
  const folder = t.testdir({})
  const store = new LocalStore(folder)
  t.notOk(await isPinned(store, id))
  await writePin(store, id, { by: 'anna', at: '2026-01-02T03:04:05Z' })
  t.ok(await isPinned(store, id))
  const [name = ''] = readdirSync(folder)
  t.equal(name, pinPath(id))
  t.equal(pinnedBy(name), id)
  const at = '2026-01-02T03:04:05Z'
  t.same(JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')), { version: 1, backup_id: id, by: 'anna', at })
  await removePin(store, id)
  await removePin(store, id)
  t.notOk(await isPinned(store, id))
  t.same(readdirSync(folder), [])
})

t.test('other names pin nothing', async (t) => {
  const others = [id, `${id}/`, '.arc-backup.pin..json', '.arc-backup.pin.db.json', `.arc-backup.pin.${id}`]
  for (const name of [...others, `${pinPath(id)}.part`, `x${pinPath(id)}`]) t.equal(pinnedBy(name), null, name)
})

t.test('a target that can not be asked is not one without a pin', async (t) => {
  const folder = t.testdir({})
  writeFileSync(`${folder}/${pinPath(id).slice(0, 5)}`, '')
  const store = Object.assign(new LocalStore(folder), {
    stat: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })),
  })
  await t.rejects(isPinned(store, id), { code: 'EIO' }, 'a prune must not go on')
})

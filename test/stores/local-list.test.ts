import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { listFolders, listLevel } from '../../src/stores/local-list.js'
import { asNobody } from '../support/nobody.js'

t.test('a name that is not UTF-8 is listed, so that it can be named as a gap', async (t) => {
  const root = t.testdir({ good: 'x' })
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff])]), 'x')
  const found: string[] = []
  for await (const { path } of listFolders(root, [''])) found.push(path)
  t.same(found.sort(), ['b\uFFFD', 'good'])
  t.same(
    listLevel(root, [''], {})
      .map(({ path }) => path)
      .sort(),
    ['b\uFFFD', 'good'],
  )
})

t.test('a folder that may not be read ends the listing, one that is gone does not', async (t) => {
  const root = t.testdir({ open: { a: 'x' }, closed: { b: 'x' } })
  chmodSync(`${root}/closed`, 0o700)
  await asNobody(async () => {
    const walk = async (): Promise<void> => {
      for await (const _ of listFolders(root, ['']));
    }
    await t.rejects(walk(), { code: 'STORE_DENIED', message: /cannot list "closed/ })
    t.throws(() => listLevel(root, ['open', 'closed'], {}), { code: 'STORE_DENIED' })
  })
  t.same(
    listLevel(root, ['never', 'open'], {}).map(({ path }) => path),
    ['open/a'],
  )
})

t.test('files that go while the folder is walked are left out', async (t) => {
  const root = t.testdir({})
  for (let folder = 0; folder < 100; folder += 1) {
    mkdirSync(`${root}/${folder}`)
    for (let file = 0; file < 10; file += 1) writeFileSync(`${root}/${folder}/${file}`, 'x')
  }
  let seen = 0
  for await (const _ of listFolders(root, [''])) {
    seen += 1
    if (seen === 300)
      for (let folder = 0; folder < 100; folder += 1) rmSync(`${root}/${folder}`, { recursive: true, force: true })
  }
  t.ok(seen >= 300 && seen < 1000, `${seen} of 1000 were there`)
})

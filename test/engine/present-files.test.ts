import t from 'tap'
import { PresentFiles } from '../../src/engine/present-files.js'

t.test('what is there, and what belongs there', async (t) => {
  const present = new PresentFiles(`${t.testdir({})}/present.db`)
  for (const path of ['data/a', 'data/b', 'data0', 'metadata/arc.db', '.hidden'])
    present.add({ path, size: path.length })
  const below = (folder: string, options?: { unclaimed: true }): string[] =>
    [...present.below(folder, options)].flat().map(({ path }) => path)
  t.equal(present.sizeOf('data/a'), 6)
  t.equal(present.sizeOf('data/c'), undefined)
  t.equal(present.claim('data/a'), 6)
  t.equal(present.claim('data/a'), 'again')
  t.equal(present.claim('data/c'), undefined)
  t.same(below('data/'), ['data/a', 'data/b'])
  t.same(below(''), ['.hidden', 'data/a', 'data/b', 'data0', 'metadata/arc.db'])
  t.same(below('', { unclaimed: true }), ['.hidden', 'data/b', 'data0', 'metadata/arc.db'])
  present.close()
})

t.test('more than one page, the few that nobody claims among them', async (t) => {
  const present = new PresentFiles(`${t.testdir({})}/present.db`)
  const names = Array.from({ length: 2000 }, (_, index) => `data/${index}`)
  for (const path of names) present.add({ path, size: 1 })
  for (const path of names) if (path !== 'data/7' && path !== 'data/1234') present.claim(path)
  const found = [...present.below('', { unclaimed: true })]
  t.same(
    found.flat().map(({ path }) => path),
    ['data/1234', 'data/7'],
  )
  t.ok(found.length > 5, 'never all in one go')
  t.equal([...present.below('')].flat().length, 2000)
  present.close()
})

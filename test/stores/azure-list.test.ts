import t from 'tap'
import { excludeWithFolders } from '../../src/stores/azure-list.js'
import { openStore } from '../../src/stores/open.js'
import { Azurite } from '../servers/azurite.js'
import { list } from './contract.js'

t.test(
  'a rule is asked for each folder once, below where the listing began, and for each file of those that stay',
  async (t) => {
    const asked: string[] = []
    const isLeftOut = excludeWithFolders((path) => {
      asked.push(path)
      return path === 'a/b/' || path === 'a/x'
    }, 'a/'.length)
    t.same(
      ['a/b/1', 'a/b/2', 'a/b/c/3', 'a/x', 'a/y'].map((path) => isLeftOut(path)),
      [true, true, true, true, false],
    )
    t.same(asked, ['a/b/', 'a/b/', 'a/x', 'a/y'])
  },
)

t.test('what only stands for a folder is no file; what can be no path is shown', async (t) => {
  const server = await Azurite.start(t)
  const container = await server.container()
  const put = (name: string, text = '', metadata = {}) =>
    container.getBlockBlobClient(`p/${name}`).upload(text, text.length, { metadata })
  await put('lake', '', { hdi_isfolder: 'true' })
  await put('lake/file', 'x', { hdi_isfolder: 'not this one' })
  await put('marker/', '')
  await put('bytes/', 'x')
  await put('empty', '')
  await put('double//slash', 'x')
  await put('both', 'x')
  await put('both/below', 'x')
  const store = await openStore(server.config(container.containerName, { prefix: 'p/' }))
  t.same((await list(store, '')).map(({ path, size }) => `${path} ${size}`).sort(), [
    'both 1',
    'both/below 1',
    'bytes/ 1',
    'double//slash 1',
    'empty 0',
    'lake/file 1',
  ])
  t.same((await list(store, '', { depth: 1 })).map(({ path, folder }) => `${path} ${folder ?? ''}`).sort(), [
    'both ',
    'both true',
    'bytes true',
    'double true',
    'empty ',
    'lake true',
    'marker true',
  ])
  t.same(
    (await list(store, ['double', 'marker', 'bytes'], { depth: 1 })).map(
      ({ path, folder }) => `${path} ${folder ?? ''}`,
    ),
    ['double/ ', 'bytes/ '],
    'a folder without a name can not be walked',
  )
  await store.remove(['lake/', 'marker/'])
  t.same(await list(store, 'both'), await list(store, 'both', { depth: 1 }))
  const left: string[] = []
  for await (const { name } of container.listBlobsFlat()) left.push(name)
  t.same(
    left,
    ['p/both', 'p/both/below', 'p/bytes/', 'p/double//slash', 'p/empty', 'p/lake'],
    'markers go with their folder',
  )
})

t.test('names that the answer has to escape', async (t) => {
  const server = await Azurite.start(t)
  const container = await server.container()
  const names = ['a&b', 'c<d>e', `f"g'h`, 'i&amp;j', 'k\u2028l']
  for (const name of names) await container.getBlockBlobClient(`x&y/${name}`).upload('', 0)
  const store = await openStore(server.config(container.containerName, { prefix: '' }))
  t.same((await list(store, '')).map(({ path }) => path).sort(), names.map((name) => `x&y/${name}`).sort())
  t.same(
    (await list(store, '', { depth: 1 })).map(({ path }) => path),
    ['x&y'],
  )
  await store.remove(['x&y/'])
  t.same(await list(store, ''), [])
})

t.test('more folders than are asked for at once, more blobs than a page has', async (t) => {
  const server = await Azurite.start(t)
  const container = await server.container()
  const names = [
    ...Array.from({ length: 20 }, (_, index) => `f${index}/a`),
    ...Array.from({ length: 2100 }, (_, index) => `many/${index}`),
  ]
  const waiting = [...names]
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let name = waiting.pop(); name; name = waiting.pop()) await container.getBlockBlobClient(name).upload('x', 1)
    }),
  )
  const store = await openStore(server.config(container.containerName))
  const folders = [...new Set(names.map((name) => name.split('/', 1)[0] ?? ''))]
  for (const depth of [1, undefined] as const) {
    const found = await list(store, ['gone', ...folders], depth && { depth })
    t.same(found.map(({ path }) => path).sort(), [...names].sort())
  }
  const first = await store.list('')[Symbol.asyncIterator]().next()
  t.ok(first.value.etag.startsWith('"'), 'as a condition takes it')
  await store.remove([...folders.map((folder) => `${folder}/`), ...names])
  t.same(await list(store, ''), [])
})

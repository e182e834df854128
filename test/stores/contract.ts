import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { ServiceError } from '../../src/errors.js'
import { giveBack } from '../../src/stores/blocks.js'
import { type Store, type StoredFile, smallFile } from '../../src/stores/store.js'

/** One store under test, and another client that looks at the same place. */
export interface Subject {
  readonly store: Store
  /** Content as somebody else reads it; null where there is nothing. */
  readBack(path: string): Promise<Buffer | null>
  /** Every name that somebody else sees below the root, hidden and temporary ones too. */
  names(): Promise<string[]>
}

const odd = [
  'plain',
  'with space',
  'a+b%20c',
  'ünï/côdé/日本',
  "quo'te",
  'star*?[x]{y}',
  '.hidden',
  `${'n'.repeat(250)}.db`,
  `${'é'.repeat(127)}`,
]
/** Around the block that local disk copies at once. */
const sizes = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20]

/** What `stores/store.ts` says, as tests: every store passes all of them. */
export function testStore(t: Test, open: (t: Test) => Promise<Subject>): void {
  t.test('what is written is read back, by the store and by another client', async (t) => {
    const { store, readBack } = await open(t)
    for (const size of sizes) {
      const content = randomBytes(size)
      const written = await store.write(`sizes/${size}`, from(content), { size })
      t.same([written.path, written.size], [`sizes/${size}`, size])
      t.ok((await readBack(`sizes/${size}`))?.equals(content), `${size} bytes, another client`)
      t.ok((await collect(await store.read(`sizes/${size}`))).equals(content), `${size} bytes, the store`)
      t.equal((await store.stat(`sizes/${size}`)).size, size)
    }
    await store.close()
  })

  t.test('a large file of blocks that all differ', async (t) => {
    const { store, readBack } = await open(t)
    for (const size of [smallFile - 1, smallFile, smallFile + 1, 5 * smallFile + 12_345]) {
      const content = randomBytes(size)
      const written = await store.write('large', from(content), { size })
      t.equal(written.size, size)
      t.ok((await readBack('large'))?.equals(content), `${size} bytes, another client`)
      t.ok((await collect(await store.read('large'))).equals(content), `${size} bytes, the store`)
      t.ok((await collect(await store.read('large', { start: size - 5 }))).equals(content.subarray(-5)))
    }
    await store.close()
  })

  t.test('whole small files in one go, where a store has doors for them', async (t) => {
    const { store, readBack } = await open(t)
    if (!store.readSmall || !store.writeSmall) {
      t.pass('this one has none')
      return
    }
    for (const size of [0, 1, 300_000, smallFile]) {
      const content = randomBytes(size)
      const hash = sha256(content)
      const written = await store.writeSmall(`small/${size}`, content, size === 1 ? {} : { sha256: hash })
      t.same([written.path, written.size], [`small/${size}`, size])
      content.fill(0)
      t.equal(sha256((await readBack(`small/${size}`)) ?? ''), hash, `${size} bytes, another client`)
      const read = await store.readSmall(`small/${size}`)
      t.equal(sha256(read.bytes), hash, `${size} bytes, the store`)
      t.equal(read.etag, (await store.stat(`small/${size}`)).etag)
      t.ok(Math.abs(Number(read.mtimeNs / 1_000_000n) - Date.now()) < 120_000, 'times are in nanoseconds')
    }
    await t.rejects(store.readSmall('small/missing'), { code: 'STORE_NOT_FOUND' })
    for (const path of ['', '../x', 'a//b', 'nul\0']) {
      await t.rejects(store.readSmall(path), { code: 'PATH_INVALID' })
      await t.rejects(store.writeSmall(path, Buffer.from('x')), { code: 'PATH_INVALID' })
    }
    const size = smallFile + 1
    await store.write('grown', from(randomBytes(size)), { size })
    await t.rejects(store.readSmall('grown'), { code: 'SOURCE_CHANGED' })
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => store.writeSmall?.('once', Buffer.from(`${index}`), { ifAbsent: true })),
    )
    const won = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
    t.equal(won.length, 1, 'create if absent: of eight at once one wins')
    t.equal(String(await readBack('once')), `${won[0]}`)
    for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'STORE_EXISTS' })
    await store.close()
  })

  t.test('exactly the version that was listed, where a store has versions', async (t) => {
    const { store } = await open(t)
    await put(store, 'versioned', 'first')
    const { etag: version } = await store.stat('versioned')
    if (version === undefined) {
      t.pass('this one has none')
      return
    }
    t.same(
      (await list(store, '')).map(({ etag }) => etag),
      [version],
    )
    t.equal(String(await collect(await store.read('versioned', { version }))), 'first')
    t.equal(String((await store.readSmall?.('versioned', { version }))?.bytes), 'first')
    await put(store, 'versioned', 'other')
    await t.rejects(store.read('versioned', { version }), { code: 'SOURCE_CHANGED' })
    if (store.readSmall) await t.rejects(store.readSmall('versioned', { version }), { code: 'SOURCE_CHANGED' })
    await store.close()
  })

  t.test('names of every kind', async (t) => {
    const { store, readBack } = await open(t)
    for (const name of odd) await put(store, `odd/${name}`, name)
    for (const name of odd) t.equal(String(await readBack(`odd/${name}`)), name, name.slice(0, 40))
    t.same((await list(store, 'odd')).map(({ path }) => path).sort(), odd.map((name) => `odd/${name}`).sort())
    await store.remove(odd.map((name) => `odd/${name}`))
    t.same(await list(store, ''), [])
  })

  t.test('overwriting replaces; one that fails leaves what was there, and no debris', async (t) => {
    const { store, readBack, names } = await open(t)
    await put(store, 'a/file', 'old')
    await put(store, 'a/file', 'newer and longer')
    t.equal(String(await readBack('a/file')), 'newer and longer')
    const before = await names()
    const broken = new ServiceError('STORE_IO', 'the source broke')
    for (const [bytes, size] of [
      [0, 4 << 20],
      [1, 4 << 20],
      [3 << 20, 4 << 20],
      [0, 3 * smallFile],
      [2 * smallFile + 1, 3 * smallFile],
    ] as const) {
      const refused = { message: 'the source broke' }
      await t.rejects(store.write('a/file', Readable.from(breakAfter(bytes, broken)), { size }), refused)
      await t.rejects(store.write('a/new', Readable.from(breakAfter(bytes, broken)), { size }), refused)
      t.equal(await readBack('a/new'), null, 'nothing is visible')
    }
    t.equal(String(await readBack('a/file')), 'newer and longer')
    t.same(await names(), before)
  })

  t.test('create if absent: of eight at once one wins', async (t) => {
    const { store, readBack } = await open(t)
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        store.write('only/one', from(Buffer.from(`${index}`)), { size: 1, ifAbsent: true }),
      ),
    )
    const won = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
    t.equal(won.length, 1)
    t.equal(String(await readBack('only/one')), `${won[0]}`)
    for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'STORE_EXISTS' })
  })

  t.test('create if absent: a large file does not replace one that is there', async (t) => {
    const { store, readBack, names } = await open(t)
    await put(store, 'taken', 'first')
    const size = smallFile + 1
    const again = store.write('taken', from(randomBytes(size)), { size, ifAbsent: true })
    await t.rejects(again, { code: 'STORE_EXISTS' })
    t.equal(String(await readBack('taken')), 'first')
    t.same(await names(), ['taken'])
    await store.close()
  })

  t.test('eight writers at once', async (t) => {
    const { store, readBack } = await open(t)
    const contents = Array.from({ length: 8 }, () => randomBytes(2 << 20))
    await Promise.all(
      contents.map((content, index) => store.write(`many/${index}`, from(content), { size: content.length })),
    )
    for (const [index, content] of contents.entries()) t.ok((await readBack(`many/${index}`))?.equals(content))
  })

  t.test('listing: more than a thousand, folders, one level, what is left out', async (t) => {
    const { store } = await open(t)
    const paths = Array.from({ length: 1100 }, (_, index) => `deep/${index % 7}/${index}`)
    for (const path of paths) await put(store, path, path)
    await put(store, 'top', 'x')
    await put(store, 'deepened/other', 'x')
    const all = await list(store, '')
    t.equal(all.length, 1102)
    for (const { path, size, mtimeNs } of all.slice(0, 20)) {
      t.equal(size, path.startsWith('deep/') ? path.length : 1)
      t.ok(Math.abs(Number(mtimeNs / 1_000_000n) - Date.now()) < 120_000, 'times are in nanoseconds')
    }
    t.same((await list(store, 'deep')).length, 1100, 'a prefix is a folder, not the beginning of a name')
    t.same((await list(store, ['deep/1', 'deep/2'])).length, 314)
    const level = await list(store, '', { depth: 1 })
    t.same(level.map(({ path, folder }) => [path, folder]).sort(), [
      ['deep', true],
      ['deepened', true],
      ['top', undefined],
    ])
    const some = await list(store, '', { exclude: (path) => path === 'deep/3/' || path === 'top' })
    t.equal(some.length, 1101 - 157)
    t.same((await list(store, 'deep/1', { namesOnly: true })).length, 157)
    if (store.listLevel) {
      const found = store.listLevel(['', 'deep/1', 'gone'], { exclude: (path) => path === 'deepened/' })
      t.same(
        found.filter(({ folder }) => folder).map(({ path }) => path),
        ['deep'],
      )
      t.equal(found.filter(({ folder }) => !folder).length, 158)
      t.same(
        store
          .listLevel(['deep/1'], { namesOnly: true })
          .map(({ size }) => size)
          .slice(0, 2),
        [0, 0],
      )
    }
    await store.remove(paths)
    t.equal((await list(store, '')).length, 2, 'more than one request may remove')
    await t.rejects(list(store, 'nowhere'), { code: 'STORE_NOT_FOUND' })
    await t.rejects(list(store, 'top'), { code: 'STORE_NOT_FOUND' })
  })

  t.test('reading: from a byte on, and what is missing rejects at once', async (t) => {
    const { store } = await open(t)
    await put(store, 'range', '0123456789')
    t.equal(String(await collect(await store.read('range', { start: 7 }))), '789')
    t.equal(String(await collect(await store.read('range', { start: 10 }))), '')
    await t.rejects(store.read('missing'), { code: 'STORE_NOT_FOUND' })
    await t.rejects(store.stat('missing'), { code: 'STORE_NOT_FOUND' })
    await t.rejects(store.stat('range/below'), { code: 'STORE_NOT_FOUND' })
  })

  t.test('removing: what is not there counts as removed; a folder goes whole', async (t) => {
    const { store, names } = await open(t)
    for (const path of ['x/a', 'x/b', 'x/deep/c', 'y']) await put(store, path, path)
    await store.remove(['x/a', 'x/a', 'x/never'])
    await store.remove(['x/a'])
    t.same((await names()).sort(), ['x/b', 'x/deep/c', 'y'])
    await store.remove(['x/', 'nothing/'])
    t.same(await names(), ['y'])
  })

  t.test('a slow consumer and a slow source keep memory flat', async (t) => {
    const { store } = await open(t)
    const size = 192 << 20
    const slow = async function* (): AsyncGenerator<Buffer> {
      for (let bytes = 0; bytes < size; bytes += 1 << 20) {
        if (bytes % (16 << 20) === 0) await sleep(20)
        yield Buffer.alloc(1 << 20, bytes >> 20)
      }
    }
    await store.write('slow', Readable.from(slow()), { size })
    const before = process.memoryUsage().arrayBuffers
    let [most, read] = [0, 0]
    for await (const chunk of await store.read('slow')) {
      read += (chunk as Buffer).length
      if (read % (8 << 20) < (chunk as Buffer).length) await sleep(10)
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      giveBack(chunk as Buffer)
    }
    t.equal(read, size)
    t.ok(most < 64 << 20, `${most} bytes held`)
  })

  t.test('paths that could lead elsewhere are refused by every method', async (t) => {
    const { store, names } = await open(t)
    await put(store, 'inside', 'x')
    for (const path of ['', '/etc/passwd', '../x', 'a/../b', './a', 'a//b', 'nul\0', 'bad\uFFFD']) {
      const invalid = { code: 'PATH_INVALID' }
      await t.rejects(store.stat(path), invalid)
      await t.rejects(store.read(path), invalid)
      await t.rejects(store.write(path, from(Buffer.from('x')), { size: 1 }), invalid)
      await t.rejects(store.remove([path]), invalid)
      if (path !== '') await t.rejects(async () => list(store, path), invalid)
      if (store.rename) await t.rejects(store.rename('inside', path), invalid)
      if (store.copy) await t.rejects(store.copy(store, 'inside', path, {}), invalid)
    }
    t.same(await names(), ['inside'])
  })

  t.test('a second name for a file of its own: of the recorded version, and nothing else', async (t) => {
    const { store, readBack, names } = await open(t)
    if (!store.duplicate) throw new Error('every store has this door')
    const content = randomBytes(300_000)
    const { etag } = await store.write('old/a b+%.parquet', from(content), { size: content.length })
    const recorded = { size: content.length, sha256: sha256(content), ...(etag !== undefined && { etag }) }
    const duplicated = await store.duplicate('old/a b+%.parquet', 'new/deep/a b+%.parquet', recorded)
    t.ok(duplicated)
    t.same(await readBack('new/deep/a b+%.parquet'), content)
    const found = await store.stat('new/deep/a b+%.parquet')
    t.match(found, { size: content.length, ...(etag !== undefined && { etag: duplicated?.etag }) })

    t.equal(await store.duplicate('old/missing', 'new/missing', recorded), undefined, 'one that is not there')
    await store.remove(['old/a b+%.parquet'])
    await store.write('old/a b+%.parquet', from(content.subarray(1)), { size: content.length - 1 })
    t.equal(await store.duplicate('old/a b+%.parquet', 'new/other', recorded), undefined, 'one that is another by now')
    t.same((await names()).sort(), ['new/deep/a b+%.parquet', 'old/a b+%.parquet'])
    await store.remove(['old/a b+%.parquet'])
    t.same(await readBack('new/deep/a b+%.parquet'), content, 'it does not depend on the first name')
    await t.rejects(store.duplicate('../x', 'y', recorded), { code: 'PATH_INVALID' })
    await t.rejects(store.duplicate('new/deep/a b+%.parquet', '../y', recorded), { code: 'PATH_INVALID' })
  })

  t.test('what is written is durable and there is room', async (t) => {
    const { store } = await open(t)
    await put(store, 'a', 'a')
    await store.sync?.()
    const space = await store.space?.()
    if (space) t.ok(space.bytes > 0 && space.files > 0)
    t.pass('these two doors are optional')
  })
}

export async function put(store: Store, path: string, text: string): Promise<StoredFile> {
  const content = Buffer.from(text)
  return store.write(path, from(content), { size: content.length })
}

export async function list(
  ...args: Parameters<Store['list']> extends [infer P, ...infer O] ? [Store, P, ...O] : never
): Promise<StoredFile[]> {
  const [store, prefix, options] = args
  const found: StoredFile[] = []
  for await (const file of store.list(prefix, options)) found.push(file)
  return found
}

export async function collect(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

export function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex')
}

function from(content: Buffer): Readable {
  const pieces: Buffer[] = []
  for (let start = 0; start < content.length; start += 300_000) pieces.push(content.subarray(start, start + 300_000))
  return Readable.from(pieces)
}

async function* breakAfter(bytes: number, error: Error): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < bytes; sent += 1 << 20) yield Buffer.alloc(Math.min(bytes - sent, 1 << 20), 7)
  await sleep(1)
  throw error
}

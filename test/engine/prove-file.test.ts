import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { BatchProgress, Progress } from '../../src/engine/progress.js'
import { proveFile } from '../../src/engine/prove-file.js'
import { ServiceError } from '../../src/errors.js'
import { LocalStore } from '../../src/stores/local.js'
import type { Store } from '../../src/stores/store.js'
import { query } from '../support/sql.js'

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

t.test(
  'a small file and a large one: what is on record, or INTEGRITY; bytes of a failed look are not counted',
  async (t) => {
    const store = new LocalStore(t.testdir({}))
    for (const size of [0, 1000, (9 << 20) + 1]) {
      const content = randomBytes(size)
      writeFileSync(`${store.url}/file`, content)
      const expected = { size, sha256: sha256(content) }
      const progress = new Progress()
      const counted = new BatchProgress(progress)
      const bytes = (): number => {
        counted.flush()
        return progress.read('bytes')
      }
      await proveFile(store, 'file', expected, { progress, counted })
      t.equal(bytes(), size)
      await proveFile(store, 'file', { size }, { progress })
      t.equal(bytes(), size, 'nobody asked to count')
      const other = { ...expected, sha256: sha256(Buffer.from('other')) }
      const refused = { code: 'INTEGRITY', message: /^cannot verify \/.*\/file: it has / }
      await t.rejects(proveFile(store, 'file', other, { progress, counted }), refused)
      await t.rejects(proveFile(store, 'file', { ...expected, size: size + 1 }, { progress, counted }), refused)
      t.equal(bytes(), size)
      progress.stop('CANCELLED')
      await t.rejects(proveFile(store, 'file', expected, { progress, counted }), { code: 'CANCELLED' })
    }
    await t.rejects(proveFile(store, 'none', { size: 1 }, { progress: new Progress() }), { code: 'STORE_NOT_FOUND' })
  },
)

t.test('Parquet files larger than what is held, with footers larger than what is kept', async (t) => {
  const store = new LocalStore(t.testdir({}))
  const file = `${store.url}/wide.parquet`
  const columns = Array.from({ length: 400 }, (_, index) => `random() AS a_column_of_a_wide_table_${index}`)
  await query(`COPY (SELECT ${columns} FROM range(6000)) TO '${file}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`)
  const content = readFileSync(file)
  const footer = content.readUInt32LE(content.length - 8)
  t.ok(content.length > 8 << 20 && footer > 64 << 10, `${content.length} bytes, footer ${footer}`)
  const progress = new Progress()
  const size = content.length
  await proveFile(store, 'wide.parquet', { size }, { progress, parquet: true })
  content.fill(0, size - footer, size - footer + 100)
  writeFileSync(file, content)
  await proveFile(store, 'wide.parquet', { size }, { progress })
  const flaw = { code: 'INTEGRITY', message: /no sound Parquet file/ }
  await t.rejects(proveFile(store, 'wide.parquet', { size }, { progress, parquet: true }), flaw)
})

t.test('a remote file is read again for as long as it gets further', async (t) => {
  const blocks = Array.from({ length: 8 }, () => randomBytes(1 << 20))
  let tries = 0
  async function* cut(): AsyncGenerator<Buffer> {
    tries += 1
    for (const block of blocks.slice(0, tries)) yield block
    await sleep(100)
    if (tries < blocks.length) throw new ServiceError('STORE_UNREACHABLE', 'cut')
  }
  const store = {
    url: 's3://bucket',
    patience: { retryTimeoutMs: 150, stallTimeoutMs: 1000 },
    read: async () => Readable.from(cut()),
  } as Partial<Store> as Store
  const content = Buffer.concat(blocks)
  await proveFile(store, 'file', { size: content.length, sha256: sha256(content) }, { progress: new Progress() })
  t.equal(tries, blocks.length)
})

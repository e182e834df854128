import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { writeText } from '../../src/engine/write-text.js'
import { ServiceError } from '../../src/errors.js'
import { LocalStore } from '../../src/stores/local.js'

/** A store whose first write is done, and whose answer is lost. */
function forgetful(folder: string, meanwhile = () => {}): LocalStore {
  const store = new LocalStore(folder)
  let lost = false
  const write: LocalStore['write'] = async (...args) => {
    const written = await LocalStore.prototype.write.apply(store, args)
    if (lost) return written
    lost = true
    meanwhile()
    throw new ServiceError('STORE_UNREACHABLE', 'no answer')
  }
  return Object.assign(store, { write, patience: { retryTimeoutMs: 10_000, stallTimeoutMs: 1000 } })
}

t.test('a write whose answer was lost is not taken for that of somebody else', async (t) => {
  const folder = t.testdir({})
  await writeText(forgetful(folder), 'a', 'text', { ifAbsent: true })
  t.equal(readFileSync(`${folder}/a`, 'utf8'), 'text')
})

t.test('nor that of somebody else for it', async (t) => {
  const folder = t.testdir({ there: 'of another' })
  const other = forgetful(folder, () => writeFileSync(`${folder}/a`, 'of another'))
  await t.rejects(writeText(other, 'a', 'text', { ifAbsent: true }), { code: 'STORE_EXISTS' })
  await t.rejects(writeText(new LocalStore(folder), 'there', 'text', { ifAbsent: true }), { code: 'STORE_EXISTS' })
  t.equal(readFileSync(`${folder}/there`, 'utf8'), 'of another')
  await writeText(new LocalStore(folder), 'there', 'text')
  t.equal(readFileSync(`${folder}/there`, 'utf8'), 'text')
})

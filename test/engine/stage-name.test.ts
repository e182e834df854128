import { writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import t from 'tap'
import { hiddenName } from '../../src/engine/stage-name.js'
import { classify } from '../../src/format/data-path.js'

const operation = '0123456789ab'

t.test('a hidden name beside the file, told apart by operation and purpose', async (t) => {
  t.equal(hiddenName('db/m/x.parquet', operation, 'part'), `db/m/.x.parquet.${operation}.part`)
  t.equal(hiddenName('x.parquet', operation, 'replaced'), `.x.parquet.${operation}.replaced`)
  t.equal(classify(hiddenName('db/m/x.parquet', operation, 'part')), 'excluded', 'no backup takes it for data')
})

t.test('no name is too long for the file system, and no two are the same', async (t) => {
  const folder = t.testdir({})
  const tail = `.${operation}.part`.length
  const seen = new Set<string>()
  for (const name of [
    'n'.repeat(254 - tail),
    'n'.repeat(255 - tail),
    'n'.repeat(255),
    `${'n'.repeat(254)}m`,
    'é'.repeat(127),
    `${'é'.repeat(126)}ee`,
  ]) {
    const hidden = hiddenName(`${folder}/${name}`, operation, 'part')
    t.equal(dirname(hidden), folder)
    t.match(basename(hidden), /^\..*\.0123456789ab\.part$/)
    t.ok(Buffer.byteLength(basename(hidden)) <= 255)
    writeFileSync(hidden, '', { flag: 'wx' })
    seen.add(hidden)
  }
  t.equal(seen.size, 6)
  t.equal(
    basename(hiddenName('n'.repeat(254 - tail), operation, 'part')).length,
    255,
    'a plain name as long as it fits',
  )
})

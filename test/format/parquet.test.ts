import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { checkParquet, footerSize } from '../../src/format/parquet.js'
import { arcs } from '../support/fixture.js'

const data = `${arcs}/data/arc`
const names = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet'))
const one = readFileSync(`${data}/${names[0]}`)

function check(content: Buffer, tail = content): void {
  const length = footerSize(tail, content.length)
  checkParquet(content.subarray(0, 4), content.subarray(content.length - length), content.length)
}

t.test("Arc's own files are sound", async (t) => {
  t.equal(names.length, 36)
  for (const name of names) t.doesNotThrow(() => check(readFileSync(`${data}/${name}`)), name)
  t.doesNotThrow(() => check(one, one.subarray(one.length - 8)), 'eight bytes tell how long the footer is')
})

t.test('what is none', async (t) => {
  const changed = (change: (content: Buffer) => void): Buffer => {
    const content = Buffer.from(one)
    change(content)
    return content
  }
  const flaws: [what: string, content: Buffer, why: RegExp][] = [
    ['nothing', Buffer.alloc(0), /0 bytes are less than any has/],
    ['the shortest that could be looked at', Buffer.alloc(12), /it ends in "\\u0000/],
    ['a truncated file', one.subarray(0, one.length - 1), /it ends in "\\u0000PAR"|it ends in ".PAR"/],
    ['other bytes at its begin', changed((content) => content.write('PAR2', 0)), /it begins with "PAR2"/],
    [
      'a footer longer than the file',
      changed((content) => content.writeUInt32LE(one.length, one.length - 8)),
      /would have/,
    ],
    ['a footer longer than any', changed((content) => content.writeUInt32LE(0xffffffff, one.length - 8)), /would have/],
    ['an empty footer', changed((content) => content.writeUInt32LE(0, one.length - 8)), /can't be read/],
    [
      'a footer that begins elsewhere',
      changed((content) => content.writeUInt32LE(100, one.length - 8)),
      /can't be read/,
    ],
    [
      'zeros for a footer',
      changed((content) => content.fill(0, one.length - footerSize(one, one.length), one.length - 8)),
      /can't be read/,
    ],
    ['data that were cut out', Buffer.concat([one.subarray(0, 4), one.subarray(500)]), /would lie outside of its data/],
  ]
  for (const [what, content, why] of flaws) {
    t.throws(() => check(content), { code: 'INTEGRITY', message: /^it is no sound Parquet file: / }, what)
    t.throws(() => check(content), { message: why }, what)
  }
})

t.test('whatever a footer holds, it is read to an end', async (t) => {
  const length = footerSize(one, one.length)
  for (let round = 0; round < 2000; round += 1) {
    const content = Buffer.from(one)
    for (let flips = 0; flips < 3; flips += 1) {
      const at = content.length - length + Math.floor(Math.random() * (length - 8))
      content[at] = Math.floor(Math.random() * 256)
    }
    try {
      check(content)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'INTEGRITY') t.fail('another failure', { error })
    }
  }
  t.pass()
})

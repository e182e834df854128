import t from 'tap'
import { blockSizeFor } from '../../src/stores/azure-upload.js'

const place = { url: 'azure://account/container' }
const mostBlocks = 50_000

t.test('blocks grow with the file, and there are never too many', async (t) => {
  t.equal(blockSizeFor(place, 'a', 0), 8 << 20)
  t.equal(blockSizeFor(place, 'a', mostBlocks * (8 << 20)), 8 << 20)
  for (const size of [mostBlocks * (8 << 20) + 1, 2 ** 40, 3 * 2 ** 40, mostBlocks * (64 << 20)]) {
    const block = blockSizeFor(place, 'a', size)
    t.ok(block > 8 << 20 && block <= 64 << 20 && block % (1 << 20) === 0, `${block}`)
    t.ok(Math.ceil(size / block) <= mostBlocks)
  }
})

t.test('a file that would not fit is refused before its first byte', async (t) => {
  t.throws(() => blockSizeFor(place, 'a', mostBlocks * (64 << 20) + 1), {
    code: 'STORE_FULL',
    message: 'cannot write "a" at azure://account/container: it is larger than 3.05 TiB',
  })
})

import t from 'tap'
import { parseRate, parseRateLimit, parseSize, showSize } from '../src/byte-size.js'

t.test('sizes as people write them', async (t) => {
  const written = {
    '0B': 0,
    '512MiB': 512 * 2 ** 20,
    '1.5 GB': 1.5e9,
    ' 64kB ': 64_000,
    '64KiB': 65_536,
    '2TiB': 2 ** 41,
    '0.3KB': 300,
  }
  for (const [text, bytes] of Object.entries(written)) t.equal(parseSize(text), bytes, text)
  for (const text of ['', 'MB', '12', '12M', '12mb', '1Mb', '-1MB', '1e3MB', '1 2MB', '1MB/s', '.5MB', '1iB'])
    t.equal(parseSize(text), undefined, text)
})

t.test('rates are sizes a second', async (t) => {
  t.equal(parseRate('200MB/s'), 200e6)
  t.equal(parseRate('10 MiB/s'), 10 * 2 ** 20)
  for (const text of ['200MB', '200MB/min', '200Mbit/s', '200/s', '']) t.equal(parseRate(text), undefined, text)
})

t.test('a limit may be none, but not next to nothing', async (t) => {
  t.equal(parseRateLimit('none'), null)
  t.equal(parseRateLimit(' '), null)
  t.equal(parseRateLimit('64KB/s'), 64_000)
  for (const text of ['63KB/s', '0B/s', 'None', '99999999TB/s', '200MB']) t.equal(parseRateLimit(text), undefined, text)
})

t.test('a size is shown so that it can be read again', async (t) => {
  const shown = { 200e6: '200MB', 10485760: '10MiB', 1500000: '1.5MB', 1073741824: '1GiB', 12345: '12345B', 0: '0B' }
  for (const [bytes, text] of Object.entries(shown)) {
    t.equal(showSize(Number(bytes)), text)
    t.equal(parseSize(text), Number(bytes))
  }
})

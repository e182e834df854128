import t from 'tap'
import { formatSeconds, formatSize } from '../../src/cli/format-size.js'

t.test('bytes', async (t) => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [12.345, '12 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [1023.9 * 1024, '1023.9 KiB'],
    [1024 * 1024 - 1, '1.0 MiB'],
    [83_766, '81.8 KiB'],
    [5 * 1024 ** 3, '5.0 GiB'],
    [2 ** 50, '1.0 PiB'],
    [2 ** 60 * 3, '3072.0 PiB'],
  ] as const) {
    t.equal(formatSize(bytes), text, String(bytes))
  }
})

t.test('seconds', async (t) => {
  for (const [seconds, text] of [
    [0, '0s'],
    [0.4, '0s'],
    [59, '59s'],
    [59.7, '1m0s'],
    [61, '1m1s'],
    [119.6, '2m0s'],
    [3599.9, '1h0m0s'],
    [3725, '1h2m5s'],
    [90_000, '25h0m0s'],
  ] as const) {
    t.equal(formatSeconds(seconds), text, String(seconds))
  }
})

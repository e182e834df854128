import t from 'tap'
import { parseDuration } from '../../src/config/duration.js'

t.test("Go's durations in ms", async (t) => {
  const right: Record<string, number> = {
    '0': 0,
    '0s': 0,
    '45s': 45_000,
    '90m': 5_400_000,
    '2h': 7_200_000,
    '1h30m': 5_400_000,
    '1h15m30.918s': 4_530_918,
    '1.5h': 5_400_000,
    '.5s': 500,
    '1.s': 1000,
    '+1m': 60_000,
    '250ms': 250,
    '1500us': 2,
    '1500µs': 2,
    '1500μs': 2,
    '1ns': 1,
    '30m1h': 5_400_000,
  }
  for (const [written, ms] of Object.entries(right)) t.equal(parseDuration(written), ms, written)
})

t.test('what is no duration, or less than none', async (t) => {
  for (const written of ['', '2', '-1h', '2 h', ' 2h', '2H', '1d', 'h', '.s', '1h-5m', '1e3s', 'two hours', '2h\n']) {
    t.equal(parseDuration(written), undefined, JSON.stringify(written))
  }
})

import t from 'tap'
import { type FlightOptions, Flights } from '../../src/engine/flights.js'

const options: FlightOptions = { stores: ['near', 'far'], threads: 2, most: 64 }

/** A clock that stands still, and seconds in which two threads do what they may: as many files as the store makes of the number in flight. */
function scene(more: Partial<FlightOptions> = {}) {
  // Shortly before 32 bits of milliseconds turn over.
  let now = 2 ** 31 - 500
  const clock = (): number => now | 0
  const flights = new Flights({ ...options, ...more }, undefined, clock)
  const threads = [flights, new Flights({ ...options, ...more }, flights.buffer, clock)]
  const limit = (): number => flights.read()[1]?.limit ?? 0
  const second = async (filesPerSecond: (inFlight: number) => number): Promise<number> => {
    const files = filesPerSecond(limit()) / threads.length
    for (const thread of threads) {
      const flight = thread.open(['far', 'state'])
      if (!flight) throw new Error('far is remote')
      let land = (): void => {}
      const landing = new Promise<void>((resolve) => {
        land = resolve
      })
      const flying = Array.from({ length: flight.most() }, () => flight.fly(0, () => landing))
      flight.most()
      land()
      await Promise.all(flying)
      for (let file = flying.length; file < files; file += 1) await flight.fly(0, async () => {})
    }
    now += 1000
    await threads[0]?.open(['far'])?.fly(0, async () => {})
    return limit()
  }
  const seconds = async (count: number, filesPerSecond: (inFlight: number) => number): Promise<number[]> => {
    const limits: number[] = []
    for (let index = 0; index < count; index += 1) limits.push(await second(filesPerSecond))
    return limits
  }
  return { flights, seconds, pass: (ms: number) => (now += ms) }
}

/** Nothing but the way there takes time. */
const distant = (inFlight: number): number => inFlight * 20
/** It answers so many, however many are asked for. */
const busy = (): number => 1000

t.test('while more in flight bring more through there are more and more of them, up to backup.transfers', async (t) => {
  t.same(await scene().seconds(14, distant), [40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 128, 128])
  t.same(await scene({ most: 18 }).seconds(3, distant), [36, 36, 36])
  t.same(await scene({ most: 3 }).seconds(2, distant), [6, 6])
})

t.test('where they bring nothing there are as many as before, and it is tried again later', async (t) => {
  t.same(await scene().seconds(14, busy), [40, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 40, 32])
  const upTo48 = (inFlight: number): number => Math.min(inFlight, 48) * 20
  t.same(await scene().seconds(5, upTo48), [40, 48, 56, 48, 48])
})

t.test('a store that asks for less gets half, once for all that was under way, and more again later', async (t) => {
  const { flights, seconds, pass } = scene()
  for (let index = 0; index < 20; index += 1) flights.cut('far')
  flights.cut('unknown')
  t.same(flights.read(), [
    { store: 'near', files: 0, limit: 32 },
    { store: 'far', files: 0, limit: 16 },
  ])
  t.same(await seconds(6, distant), [16, 16, 16, 24, 32, 40])
  for (let index = 0; index < 10; index += 1) {
    pass(1000)
    flights.cut('far')
  }
  t.equal(flights.read()[1]?.limit, 2, 'one in each thread always goes')
  // Nothing was under way in between: that says nothing of the store.
  t.same(await seconds(7, distant), [2, 2, 2, 4, 8, 16, 24])
})

t.test('what is in flight is counted; files that fail bring nothing through', async (t) => {
  const { flights, seconds } = scene()
  const flight = flights.open(['near', 'far'])
  await flight?.fly(1, async () => {
    t.same(
      flights.read().map(({ files }) => files),
      [1, 1],
    )
  })
  await t.rejects(flight?.fly(1, () => Promise.reject(new Error('no'))) ?? Promise.resolve(), { message: 'no' })
  t.same(
    flights.read().map(({ files }) => files),
    [0, 0],
  )
  await seconds(1, distant)
  t.equal(flights.open(['state', 'disk']), undefined, 'between disks there is nothing to count')
  t.equal(flights.open(['near', 'far'])?.most(), 16, 'the slower of two stores decides')
})

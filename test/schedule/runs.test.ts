import t from 'tap'
import { Runs, retireRuns } from '../../src/schedule/runs.js'

const hour = 3_600_000

t.test('a run is on record from its beginning on, also for another process', async (t) => {
  const state = t.testdir({})
  t.equal(Runs.read(state), null)
  const runs = Runs.open(state)
  t.same([runs.open(), runs.last(9)], [null, []])
  const run = runs.begin(1000, 1500)
  t.match(run, { number: 1, due: 1000, covers: 1000, missed: 0, began: 1500, ended: null, outcome: null, attempts: 0 })
  t.match(runs.note(run.number, { backup: '0123456789ab', covers: 1600, missed: 2 }), { covers: 1600, missed: 2 })
  const other = Runs.read(state)
  t.match(other?.open(), { due: 1000, backup: '0123456789ab' })
  runs.note(run.number, { ended: 2000, outcome: 'failed', note: 'why' })
  t.equal(other?.open(), null)
  t.match(other?.last(9), [{ outcome: 'failed', note: 'why' }])
  other?.close()
  runs.close()
})

t.test('the last of them are kept', async (t) => {
  const runs = Runs.open(t.testdir({}), 3)
  for (let due = 1; due <= 5; due += 1) runs.note(runs.begin(due, due).number, { ended: due, outcome: 'completed' })
  t.same(
    runs.last(9).map(({ due }) => due),
    [5, 4, 3],
  )
  runs.close()
})

t.test('what was due before the schedule was what it is, or by a clock that was wrong, counts no more', async (t) => {
  const state = t.testdir({})
  const runs = Runs.open(state)
  t.equal(runs.coveredUntil(50 * hour), 50 * hour)
  runs.adopt('0 3 * * *', 'UTC', 50 * hour)
  t.equal(runs.coveredUntil(60 * hour), 50 * hour)
  const { number } = runs.begin(55 * hour, 60 * hour)
  runs.note(number, { covers: 60 * hour })
  t.equal(runs.coveredUntil(70 * hour), 60 * hour)
  t.equal(runs.coveredUntil(59.5 * hour), 60 * hour, 'put back a little')
  t.equal(runs.coveredUntil(55 * hour), 50 * hour, 'put back: what was written later counts no more')
  t.equal(runs.coveredUntil(10 * hour), 10 * hour)
  runs.adopt('0 3 * * *', 'UTC', 70 * hour)
  t.equal(runs.coveredUntil(70 * hour), 60 * hour, 'the same schedule')
  t.equal(runs.open()?.number, number)
  runs.adopt('0 3 * * *', 'Europe/Berlin', 71 * hour)
  t.equal(runs.coveredUntil(72 * hour), 71 * hour, 'another one')
  t.match([runs.open(), runs.last(1)], [null, [{ outcome: 'interrupted', ended: 71 * hour }]])
  runs.close()
  retireRuns(state, 80 * hour)
  const again = Runs.open(state)
  again.adopt('0 3 * * *', 'Europe/Berlin', 90 * hour)
  t.equal(again.coveredUntil(91 * hour), 90 * hour, 'it was away')
  again.close()
  retireRuns(t.testdir({}), 0)
})

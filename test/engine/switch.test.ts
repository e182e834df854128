import t from 'tap'
import { readSwitch } from '../../src/engine/switch.js'
import { openScene } from './scene.js'

t.test('a switch that is not on record any more can not be finished, and says so', async (t) => {
  const run = openScene(t).open('restore')
  const message = `cannot finish the restore of ${run.backupId}: what it had staged is not on record in ${run.scratch.url} any more`
  await t.rejects(readSwitch(run), { code: 'INTERNAL', message })
})

import { writeFileSync } from 'node:fs'
import t from 'tap'
import { type Call, compactionCampaign } from '../campaigns/compaction.js'
import { startTestService, type TestService } from '../support/service.js'

// A few backups of the campaign `npm run compaction`.

t.setTimeout(600_000)

t.test('while Arc merges, deletes and rewrites, each backup has the rows of one instant', async (t) => {
  const folder = t.testdir({ source: {}, empty: {} })
  for (const name of ['source', 'empty']) {
    writeFileSync(
      `${folder}/${name}/arc.toml`,
      `[auth]\nenabled = false\n[storage]\nlocal_path = "./data"\n[backup]\nsettle_passes = 100\nlocal_path = "${folder}/backups"\nstate_path = "./state"\n`,
    )
  }
  const source = await startTestService(t, { folder: `${folder}/source`, empty: true })
  const empty = await startTestService(t, { folder: `${folder}/empty`, empty: true })
  const campaign = compactionCampaign(
    {
      source: callOf(source),
      storage: `${folder}/source/data`,
      empty: callOf(empty),
      restored: `${folder}/empty/data`,
    },
    { backups: 5, seed: 26 },
  )
  let moved = 0
  for await (const { passes, rows, wrong } of campaign) {
    t.same(wrong, [])
    t.ok(rows > 1000)
    if (passes > 1) moved += 1
  }
  t.ok(moved > 0, 'the source did move')
})

function callOf({ call }: TestService): Call {
  return async (method, path, body) => {
    const { status, text, json } = await call(method, path, body)
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`)
    return json
  }
}

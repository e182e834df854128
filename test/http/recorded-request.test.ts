import { t } from 'tap'
import { recordedRequest, recordedRequestBody } from '../../src/http/recorded-request.js'
import { parseCreate, parseRestore, parseVerify } from '../../src/http/requests.js'
import { parsePrune } from '../../src/http/retention.js'

const id = 'backup-20261123-103045-c526b8a7'

t.test('what was asked for is told in the words in which it was asked', async (t) => {
  const backup = { include_metadata: false, include_config: true, incremental: false, target: 'offsite' }
  const restore = { backup_id: id, restore_data: true, restore_metadata: false, restore_config: false }
  const how = { mode: 'replace', all_or_nothing: true, staging: 'all', compare: 'stat', databases: ['metrics'] }
  const policy = { keep_daily: 7, keep_weekly: 4, within: 3, timezone: 'Europe/Berlin' }
  for (const [asked, parsed] of [
    [backup, parseCreate(backup)],
    [{ ...restore, ...how }, parseRestore({ ...restore, ...how, confirm: true })],
    [{ backup_id: id, level: 'deep' }, parseVerify(id, { level: 'deep' })],
  ] as const) {
    const told = recordedRequestBody({ ...parsed })
    t.same(told, asked)
    t.ok(recordedRequest.safeParse(told).success)
  }
  const { dryRun: _, ...prune } = parsePrune(policy, 'UTC')
  t.same(recordedRequestBody({ ...prune }), policy)
  t.ok(recordedRequest.safeParse(policy).success)
})

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { readVerdicts, type Verdict, Verdicts } from '../../src/engine/verdicts.js'

const base: Verdict = {
  backupId: 'backup-20261123-103045-c526b8a7',
  target: 'local',
  manifest: 'm1',
  level: 'full',
  verdict: 'full',
  at: '2026-11-24T01:00:00.000Z',
  operation: '000000000001',
}

t.test('a verdict is about one backup, at one target, with one manifest', async (t) => {
  const verdicts = new Verdicts(t.testdir({}))
  verdicts.keep(base, '/nowhere')
  t.same(verdicts.of(base.backupId, 'local', 'm1'), { verified: 'full', verified_at: base.at })
  t.same(verdicts.of(base.backupId, 'local', 'm2'), {}, 'another backup under the same name')
  t.same(verdicts.of(base.backupId, 'offsite', 'm1'), {})
  t.same(verdicts.of('backup-20261123-103045-00000000', 'local', 'm1'), {})
  verdicts.forget(base.backupId, 'offsite')
  t.match(verdicts.of(base.backupId, 'local', 'm1'), { verified: 'full' })
  verdicts.forget(base.backupId, 'local')
  t.same(verdicts.of(base.backupId, 'local', 'm1'), {})
  verdicts.close()
})

t.test('the last one counts, but nothing found clears no closer look', async (t) => {
  const verdicts = new Verdicts(t.testdir({}))
  const after = (...given: Partial<Verdict>[]): unknown => {
    for (const verdict of given) verdicts.keep({ ...base, ...verdict }, '/nowhere')
    const { verified } = verdicts.of(base.backupId, 'local', given.at(-1)?.manifest ?? 'm1')
    verdicts.forget(base.backupId, 'local')
    return verified
  }
  const quick = { level: 'quick', verdict: 'quick' } as const
  const deep = { level: 'deep', verdict: 'deep' } as const
  t.equal(after(deep, quick), 'quick')
  t.equal(after({ verdict: 'damaged' }, quick), 'damaged')
  t.equal(after({ verdict: 'damaged' }, {}), 'full')
  t.equal(after({ verdict: 'damaged' }, deep), 'deep')
  t.equal(after({ ...deep, verdict: 'damaged' }, {}), 'damaged')
  t.equal(after({ ...quick, verdict: 'damaged' }, {}), 'full')
  t.equal(after({ verdict: 'damaged' }, { ...quick, manifest: 'm2' }), 'quick', 'it is another backup')
  verdicts.close()
})

t.test('findings are kept with their verdict, and go with it', async (t) => {
  const folder = t.testdir({})
  const verdicts = new Verdicts(folder)
  const keep = (operation: string, verdict: Verdict['verdict'], level: Verdict['level'] = 'full'): void => {
    writeFileSync(`${folder}/findings.jsonl`, operation)
    verdicts.keep({ ...base, operation, verdict, level }, `${folder}/findings.jsonl`)
  }
  keep('000000000001', 'damaged')
  t.equal(readFileSync(verdicts.findingsOf('000000000001'), 'utf8'), '000000000001')
  keep('000000000002', 'quick', 'quick')
  t.ok(existsSync(verdicts.findingsOf('000000000001')), 'the closer look stands')
  keep('000000000003', 'damaged')
  t.notOk(existsSync(verdicts.findingsOf('000000000001')))
  t.ok(existsSync(verdicts.findingsOf('000000000003')))
  t.same(
    verdicts.damaged('local', base.at).map(({ operation }) => operation),
    ['000000000003'],
  )
  verdicts.forget(base.backupId, 'local')
  t.same(verdicts.of(base.backupId, 'local', 'm1'), {})
  t.equal(verdicts.damaged('local', base.at).length, 1, 'others may share what is damaged in a backup that is gone')
  t.ok(existsSync(verdicts.findingsOf('000000000003')))
  t.same(verdicts.damaged('offsite', base.at), [])
  t.same(verdicts.damaged('local', '2026-11-25T00:00:00.000Z'), [])
  t.notOk(existsSync(verdicts.findingsOf('000000000003')), 'nobody asks any more')
  keep('000000000004', 'damaged')
  t.same(verdicts.damaged('local', '2026-11-25T00:00:00.000Z'), [])
  t.match(verdicts.of(base.backupId, 'local', 'm1'), { verified: 'damaged' }, 'one that is there keeps its verdict')
  verdicts.close()
})

t.test('read beside a service, and where there is none', async (t) => {
  const folder = t.testdir({})
  const none = readVerdicts(folder)
  t.same(none.of(base.backupId, 'local', 'm1'), {})
  none.close()
  t.notOk(existsSync(`${folder}/verdicts.db`), 'reading makes no state')
  const verdicts = new Verdicts(folder)
  verdicts.keep(base, '/nowhere')
  const reader = readVerdicts(folder)
  t.match(reader.of(base.backupId, 'local', 'm1'), { verified: 'full' })
  reader.close()
  verdicts.close()
})

import { existsSync, readFileSync, statSync } from 'node:fs'
import t from 'tap'
import { Findings } from '../../src/engine/findings.js'
import { openScene } from './scene.js'

const gap = (path: string) => ({ path, code: 'INTEGRITY', message: `${path} is another` }) as const

t.test('every finding is a line of the file, some are a sample in the status', async (t) => {
  const run = openScene(t).open('verify')
  const findings = new Findings(run, 'full')
  for (let index = 0; index < 300; index += 1) findings.add('damaged', gap(`data/db/m/${index}.parquet`))
  const linesOf = () => readFileSync(findings.file, 'utf8').trim().split('\n')
  t.equal(linesOf().length, 256, 'not all are held in memory')
  findings.add('missing', gap('metadata/arc.db'), 7)
  t.equal(findings.conclude(), 'damaged')
  t.equal(findings.count, 307)
  t.equal(linesOf().length, 301)
  t.same(JSON.parse(linesOf().at(-1) ?? ''), { flaw: 'missing', ...gap('metadata/arc.db') })
  t.equal(statSync(findings.file).mode & 0o777, 0o600)
  const { verdict, flaws } = run.tracker.verify ?? {}
  t.match(
    { verdict, damaged: flaws?.damaged.files, missing: flaws?.missing, unexpected: flaws?.unexpected.files },
    {
      verdict: 'damaged',
      damaged: 300,
      missing: { files: 7, sample: [gap('metadata/arc.db')] },
      unexpected: 0,
    },
  )
  t.ok((flaws?.damaged.sample.length ?? 300) < 100, 'a sample')
  t.ok(findings.concern('metadata/arc.db'))
  t.notOk(findings.concern('data/db/m/1.parquet'), 'only what is no data')
})

t.test('without a finding the verdict is how closely it was looked', async (t) => {
  for (const level of ['quick', 'full'] as const) {
    const run = openScene(t).open('verify')
    const findings = new Findings(run, level)
    t.equal(findings.conclude(), level)
    t.match(run.tracker.verify, { level, verdict: level })
    t.notOk(existsSync(findings.file))
  }
})

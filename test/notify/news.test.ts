import t from 'tap'
import { newsOf } from '../../src/notify/news.js'

t.test('what ended is completed, has gaps, or failed; what goes on later is no news', async (t) => {
  const at = '2026-11-23T10:30:45Z'
  const of = (outcome: string, more = {}) => newsOf({ operation: 'prune', outcome, completed_at: at, ...more })?.type
  t.equal(of('completed'), 'prune.completed')
  t.equal(of('gaps'), 'prune.gaps')
  for (const outcome of ['failed', 'cancelled', 'interrupted']) t.equal(of(outcome), 'prune.failed')
  t.equal(of('interrupted', { resumable: true }), undefined)
  t.equal(newsOf({ operation: 'verify', outcome: 'completed', completed_at: at })?.at, at)
})

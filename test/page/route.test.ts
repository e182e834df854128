import t from 'tap'
import { hrefOf, parseRoute } from '../../src/page/route.js'

t.test('an address leads where it came from', (t) => {
  for (const view of ['backup', 'restore'] as const) {
    t.same(parseRoute(hrefOf(view, 'backup-1', 'off/site %')), { view, id: 'backup-1', target: 'off/site %' })
  }
  for (const hash of ['', '#', '#/', '#/backup', '#/nowhere/x/y']) t.same(parseRoute(hash), { view: 'backups' }, hash)
  t.same(parseRoute('#/journal'), { view: 'journal' })
  t.end()
})

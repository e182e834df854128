import t from 'tap'
import { toGoJson } from '../../src/http/json.js'

t.test('what a page could take for markup is escaped, as Go does', async (t) => {
  t.equal(toGoJson({ error: '<a>&\u2028\u2029"' }), '{"error":"\\u003ca\\u003e\\u0026\\u2028\\u2029\\""}')
  t.same(JSON.parse(toGoJson({ '<k>': ['ä'] })), { '<k>': ['ä'] })
})

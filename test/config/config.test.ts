import { inspect } from 'node:util'
import t from 'tap'
import { Secret } from '../../src/config/config.js'

t.test('a secret shows itself only when asked', async (t) => {
  const secret = new Secret('sentinel')
  t.equal(secret.reveal(), 'sentinel')
  for (const shown of [`${secret}`, JSON.stringify({ secret }), inspect({ secret }, { showHidden: true, depth: 9 })]) {
    t.match(shown, '***')
    t.notMatch(shown, 'sentinel')
  }
})

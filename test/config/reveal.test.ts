import t from 'tap'
import { Secret, type StoreSettings } from '../../src/config/config.js'
import { reveal } from '../../src/config/reveal.js'
import type { StoreConfig } from '../../src/stores/open.js'

t.test('a store with its secrets open can go to a thread, and is what stores are opened with', async (t) => {
  const patience = { retryTimeoutMs: 1, stallTimeoutMs: 2 }
  const settings: StoreSettings = {
    kind: 's3',
    bucket: 'acme',
    prefix: '',
    region: 'us-east-1',
    pathStyle: false,
    credentials: { accessKeyId: 'id', secretAccessKey: new Secret('key'), sessionToken: new Secret('token') },
    ...patience,
  }
  const plain: StoreConfig = reveal(settings)
  t.strictSame(structuredClone(plain), {
    kind: 's3',
    bucket: 'acme',
    prefix: '',
    region: 'us-east-1',
    pathStyle: false,
    credentials: { accessKeyId: 'id', secretAccessKey: 'key', sessionToken: 'token' },
    ...patience,
  })
  t.strictSame(reveal(null), null)
})

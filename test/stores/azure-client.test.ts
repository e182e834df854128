import t from 'tap'
import { connect } from '../../src/stores/azure-client.js'
import type { AzureStoreConfig } from '../../src/stores/open.js'

const config = (credential: AzureStoreConfig['credential'], prefix = ''): AzureStoreConfig => ({
  kind: 'azure',
  container: 'box',
  prefix,
  credential,
  retryTimeoutMs: 0,
  stallTimeoutMs: 1000,
})

t.test('a connection string that is none is not shown: it may hold the key', async (t) => {
  for (const connectionString of [
    'c2VjcmV0',
    'AccountName=acc;AccountKey=',
    'BlobEndpoint=;SharedAccessSignature=c2VjcmV0',
  ]) {
    const refused = await connect(config({ kind: 'connection-string', connectionString })).then(
      () => null,
      (error: unknown) => error,
    )
    t.match(
      refused,
      { code: 'STORE_AUTH', message: /^the connection string of Azure Blob Storage is not one/ },
      connectionString,
    )
    t.notMatch(`${refused} ${(refused as Error | null)?.cause}`, /c2VjcmV0/)
  }
})

t.test('one without protocol and suffix is whole, as for Arc', async (t) => {
  const credential = { kind: 'connection-string', connectionString: 'AccountName=acc;AccountKey=a2V5' } as const
  const client = await connect(config(credential, 'a/b/'))
  t.equal(client.url, 'azure://acc/box/a/b')
  t.equal(client.urlOf(client.nameOf('x y')), 'https://acc.blob.core.windows.net/box/a/b/x%20y')
})

t.test('a managed identity needs nobody before the first request', async (t) => {
  const client = await connect(config({ kind: 'managed-identity', account: 'acc' }))
  t.equal(client.url, 'azure://acc/box')
})

t.test('names are as long as Azure takes them, with their prefix', async (t) => {
  const client = await connect(config({ kind: 'managed-identity', account: 'acc' }, 'a/'))
  t.equal(client.nameOf('x'.repeat(1022)).length, 1024)
  t.throws(() => client.nameOf('x'.repeat(1023)), {
    code: 'PATH_INVALID',
    message: /longer than Azure's 1024 characters/,
  })
})

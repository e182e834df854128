import t from 'tap'
import { type AzureSettings, type S3Settings, Secret, type StoreSettings } from '../../src/config/config.js'
import { describeStore, overlap } from '../../src/config/overlap.js'

const patience = { retryTimeoutMs: 1, stallTimeoutMs: 1 }

function local(root: string): StoreSettings {
  return { kind: 'local', root }
}

function s3(prefix: string, more: Partial<S3Settings> = {}): StoreSettings {
  return { kind: 's3', bucket: 'acme', prefix, region: 'us-east-1', pathStyle: false, ...patience, ...more }
}

function azure(prefix: string, more: Partial<AzureSettings> = {}): StoreSettings {
  const credential = { kind: 'managed-identity', account: 'acme' } as const
  const endpoint = 'https://acme.blob.core.windows.net'
  return { kind: 'azure', container: 'arc', prefix, endpoint, credential, ...patience, ...more }
}

const connectionString = new Secret('AccountName=acme;AccountKey=k')

t.test('the same place, or one inside the other', async (t) => {
  const pairs: [StoreSettings, StoreSettings][] = [
    [local('/a'), local('/a')],
    [local('/a'), local('/a/b')],
    [s3(''), s3('')],
    [s3(''), s3('a/')],
    [s3('a/'), s3('a/b/')],
    [s3('a/'), s3('a/', { region: 'eu-west-1', pathStyle: true })],
    [s3('a/'), s3('a/', { endpoint: 'https://s3.eu-west-1.amazonaws.com' })],
    [s3('', { endpoint: 'http://minio:80' }), s3('', { endpoint: 'http://minio' })],
    [azure(''), azure('a/')],
    [azure('a/'), azure('a/', { credential: { kind: 'connection-string', connectionString } })],
  ]
  for (const [one, other] of pairs)
    t.ok(overlap(one, other) && overlap(other, one), `${describeStore(one)} and another`)
})

t.test('places apart', async (t) => {
  const pairs: [StoreSettings, StoreSettings][] = [
    [local('/a'), local('/ab')],
    [local('/a'), s3('')],
    [s3('a/'), s3('ab/')],
    [s3('a/'), s3('b/')],
    [s3(''), s3('', { bucket: 'other' })],
    [s3(''), s3('', { endpoint: 'https://minio' })],
    [s3('', { endpoint: 'https://minio:9000' }), s3('', { endpoint: 'https://minio:9001' })],
    [s3(''), s3('', { endpoint: 'https://notamazonaws.com' })],
    [s3(''), azure('')],
    [azure('a/'), azure('b/')],
    [azure(''), azure('', { container: 'other' })],
    [azure(''), azure('', { endpoint: 'https://other.blob.core.windows.net' })],
  ]
  for (const [one, other] of pairs)
    t.notOk(overlap(one, other) || overlap(other, one), `${describeStore(one)} and another`)
})

t.test('a store, for people', async (t) => {
  t.strictSame([local('/a'), s3('p/'), azure('')].map(describeStore), ['/a', 's3://acme/p/', 'azure://arc/'])
})

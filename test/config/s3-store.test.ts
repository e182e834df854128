import type { Test } from 'tap'
import t from 'tap'
import { type S3Settings, Secret } from '../../src/config/config.js'
import { loadConfig } from '../../src/config/load.js'

function storage(t: Test, toml: string, env: NodeJS.ProcessEnv = {}): S3Settings {
  const cwd = t.testdir({ 'arc.toml': `[storage]\nbackend = "s3"\n${toml}` })
  return loadConfig({ cwd, env }).storage.store as S3Settings
}

function target(t: Test, toml: string): S3Settings {
  const cwd = t.testdir({
    'arc.toml': `[backup]\ndefault_target = "b2"\n[backup.targets.b2]\ntype = "minio"\ns3_bucket = "acme"\n${toml}`,
  })
  return loadConfig({ cwd, env: {} }).backup.defaultTarget.store as S3Settings
}

const bucket = 's3_bucket = "acme"\n'

t.test("Arc's defaults", async (t) => {
  t.strictSame(storage(t, bucket), {
    kind: 's3',
    bucket: 'acme',
    prefix: '',
    region: 'us-east-1',
    pathStyle: false,
    retryTimeoutMs: 60_000,
    stallTimeoutMs: 30_000,
  })
  t.equal(storage(t, `${bucket}s3_region = ""\n`).region, 'us-east-1')
})

t.test('every key reaches its place', async (t) => {
  const store = storage(
    t,
    `s3_bucket = " acme "
s3_region = "eu-west-1"
s3_endpoint = "minio:9000"
s3_access_key = "AKIA"
s3_secret_key = "sentinel"
s3_use_ssl = false
s3_path_style = true
s3_prefix = "arc/data"
[backup]
retry_timeout = "5s"
stall_timeout = "1s"
`,
    { AWS_ACCESS_KEY_ID: 'other', AWS_SECRET_ACCESS_KEY: 'other', AWS_SESSION_TOKEN: 'other' },
  )
  t.equal(store.credentials?.secretAccessKey.reveal(), 'sentinel')
  t.strictSame(store, {
    kind: 's3',
    bucket: 'acme',
    prefix: 'arc/data/',
    region: 'eu-west-1',
    endpoint: 'http://minio:9000',
    pathStyle: true,
    credentials: { accessKeyId: 'AKIA', secretAccessKey: new Secret('sentinel') },
    retryTimeoutMs: 5000,
    stallTimeoutMs: 1000,
  })
})

t.test("credentials of the environment, with their session's token", async (t) => {
  const env = { AWS_ACCESS_KEY_ID: 'ASIA', AWS_SECRET_ACCESS_KEY: 'sentinel', AWS_SESSION_TOKEN: 'session' }
  const { credentials } = storage(t, bucket, env)
  t.equal(credentials?.accessKeyId, 'ASIA')
  t.equal(credentials?.secretAccessKey.reveal(), 'sentinel')
  t.equal(credentials?.sessionToken?.reveal(), 'session')
  t.equal(storage(t, bucket, { ...env, AWS_SESSION_TOKEN: '' }).credentials?.sessionToken, undefined)
  const mixed = storage(t, `${bucket}s3_access_key = "AKIA"\n`, env).credentials
  t.strictSame(
    [mixed?.accessKeyId, mixed?.secretAccessKey.reveal(), mixed?.sessionToken],
    ['AKIA', 'sentinel', undefined],
  )
  t.equal(storage(t, bucket, { AWS_ACCESS_KEY_ID: '', AWS_SESSION_TOKEN: 'x' }).credentials, undefined)
})

t.test('one key of a pair', async (t) => {
  const secret = /arc.toml:1: storage.s3_secret_key is not set, expected a secret key \(or AWS_SECRET_ACCESS_KEY\)/
  const access = /arc.toml:1: storage.s3_access_key is not set, expected an access key \(or AWS_ACCESS_KEY_ID\)/
  t.throws(() => storage(t, `${bucket}s3_access_key = "AKIA"\n`), { message: secret })
  t.throws(() => storage(t, bucket, { AWS_ACCESS_KEY_ID: 'AKIA' }), { message: secret })
  t.throws(() => storage(t, `${bucket}s3_secret_key = "x"\n`), { message: access })
  t.throws(() => storage(t, bucket, { AWS_SECRET_ACCESS_KEY: 'x' }), { message: access })
})

t.test('what is refused', async (t) => {
  t.throws(() => storage(t, ''), { message: /arc.toml:1: storage.s3_bucket is not set, expected a bucket's name/ })
  for (const [toml, message] of [
    ['s3_bucket = "a/b"', /arc.toml:3: storage.s3_bucket is "a\/b", expected a bucket's name/],
    ['s3_bucket = "ab"', /expected a bucket's name/],
    [`${bucket}s3_region = "eu west"`, /arc.toml:4: storage.s3_region is "eu west", expected a region/],
    [`${bucket}s3_prefix = "a//b"`, /arc.toml:4: storage.s3_prefix is "a\/\/b", expected names/],
    [
      `${bucket}s3_endpoint = "host/acme"`,
      /arc.toml:4: storage.s3_endpoint is "host\/acme", expected an address without a path/,
    ],
    [
      `${bucket}s3_endpoint = "me:pw@host"`,
      /arc.toml:4: storage.s3_endpoint is \*\*\*, expected the address of a server/,
    ],
  ] as const) {
    t.throws(() => storage(t, toml), { code: 'CONFIG_INVALID', message }, toml)
  }
})

t.test('what is wrong with keys of another backend does not matter', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[storage]\ns3_bucket = "?"\ns3_prefix = "a//b"\nazure_container = "?"\n' })
  t.doesNotThrow(() => loadConfig({ cwd, env: { AWS_ACCESS_KEY_ID: 'x' } }))
})

t.test("what a company's bucket asks for", async (t) => {
  const plain = target(t, '')
  t.strictSame([plain.sse, plain.kmsKeyId, plain.storageClass], [undefined, undefined, undefined])
  t.equal(target(t, 's3_sse = "AES256"').sse, 'AES256')
  t.match(target(t, 's3_sse = "aws:kms"\ns3_kms_key_id = "arn:aws:kms:x"\ns3_storage_class = "standard_ia"'), {
    sse: 'aws:kms',
    kmsKeyId: 'arn:aws:kms:x',
    storageClass: 'STANDARD_IA',
  })
  for (const [toml, message] of [
    ['s3_sse = "des"', /arc.toml:6: backup.targets.b2.s3_sse is "des", expected one of "aes256", "aws:kms"/],
    ['s3_kms_key_id = "k"', /s3_kms_key_id is "k", expected none without s3_sse = "aws:kms"/],
    ['s3_sse = "AES256"\ns3_kms_key_id = "k"', /expected none without/],
    ['s3_storage_class = "cold storage"', /expected a storage class such as/],
    ['s3_storage_class = "GLACIER"', /expected a class that can be read at once/],
    ['s3_storage_class = "deep_archive"', /expected a class that can be read at once/],
  ] as const) {
    t.throws(() => target(t, toml), { message }, toml)
  }
})

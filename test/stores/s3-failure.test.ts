import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { type ErrorCode, ServiceError } from '../../src/errors.js'
import { openStore, type S3StoreConfig } from '../../src/stores/open.js'
import { Refusal, s3Failure, type Verb } from '../../src/stores/s3-failure.js'
import { startMinio } from '../servers/minio.js'
import { assumeRole } from '../servers/minio-role.js'
import { freePort } from '../servers/port.js'
import { list, put } from './contract.js'

t.setTimeout(900_000)
const minio = await startMinio(t)
const good = await minio.bucket()

t.test('wrong credentials', async (t) => {
  const { accessKeyId, secretAccessKey } = minio.credentials
  await each(
    t,
    { ...good, credentials: { accessKeyId: 'nobody-here', secretAccessKey } },
    'STORE_AUTH',
    /does not know this access key/,
  )
  await each(
    t,
    { ...good, credentials: { accessKeyId, secretAccessKey: randomUUID() } },
    'STORE_AUTH',
    /signature is wrong/,
  )
  const credentials = { accessKeyId, secretAccessKey, sessionToken: 'no.such.token' }
  await each(t, { ...good, credentials }, 'STORE_AUTH', /token/)
})

t.test('a bucket that is not there', async (t) => {
  await each(t, { ...good, bucket: 'not-here-at-all' }, 'BUCKET_NOT_FOUND', /the bucket does not exist: check its name/)
})

t.test('a clock that is wrong', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 })
  t.teardown(() => mock.timers.reset())
  const store = await openStore(good)
  const expected = { code: 'CLOCK_SKEW', message: /set the time of this host, by NTP; it is 3\d\d\d s behind/ }
  await t.rejects(store.read('x'), expected)
  await t.rejects(store.stat('x'), expected)
  await store.close()
})

t.test('another region', async (t) => {
  const elsewhere = await startMinio(t, { env: { MINIO_SITE_REGION: 'eu-north-1' } })
  const config = { ...good, endpoint: elsewhere.endpoint, credentials: elsewhere.credentials }
  await each(t, config, 'WRONG_REGION', /eu-north-1.*the configured one is us-east-1/)
})

t.test('nobody listens, or not with HTTP', async (t) => {
  const nobody = { ...good, endpoint: `http://127.0.0.1:${await freePort()}`, retryTimeoutMs: 50 }
  await each(t, nobody, 'STORE_UNREACHABLE', /cannot reach http:\/\/127\.0\.0\.1:\d+: nothing listens there/)
})

t.test('rights to read but not to write, and none at all', async (t) => {
  const config = await minio.bucket()
  const full = await openStore(config)
  await put(full, 'here', 'x')
  const reader = await assumeRole(minio, ['s3:GetObject', 's3:ListBucket'])
  const store = await openStore({ ...config, credentials: reader })
  t.equal((await list(store, '')).length, 1)
  t.equal(String((await store.readSmall?.('here'))?.bytes), 'x')
  t.equal((await store.stat('here')).size, 1)
  const expected = { code: 'READ_ONLY', message: /cannot (write|remove) "here" at .*no right to write here/ }
  await t.rejects(put(store, 'here', 'y'), expected)
  await t.rejects(store.write('here', large(), { size: 9 << 20 }), expected)
  await t.rejects(store.remove(['here']), { ...expected, detail: { failed: [{ path: 'here', code: 'AccessDenied' }] } })
  await store.close()
  const nothing = await assumeRole(minio, ['s3:PutBucketTagging'])
  const blind = await openStore({ ...config, credentials: nothing })
  const actions: (() => Promise<unknown>)[] = [
    () => list(blind, ''),
    () => blind.stat('here'),
    () => blind.read('here'),
  ]
  for (const action of actions) {
    await t.rejects(action(), { code: 'STORE_DENIED', message: /no right to read this/ })
  }
  t.equal(String((await full.readSmall?.('here'))?.bytes), 'x', 'still there')
  await blind.close()
  await full.close()
})

t.test('what this MinIO can not be made to say', async (t) => {
  const place = { url: 's3://b', origin: 'https://s3.example', region: 'eu-west-1' }
  const cases: [ErrorCode, Verb, number, string, string?][] = [
    ['THROTTLED', 'write', 503, 'SlowDown'],
    ['THROTTLED', 'write', 429, ''],
    ['THROTTLED', 'read', 503, ''],
    ['STORE_UNREACHABLE', 'read', 500, 'InternalError'],
    ['STORE_UNREACHABLE', 'read', 502, ''],
    ['STORE_TIMEOUT', 'write', 400, 'RequestTimeout'],
    ['STORE_AUTH', 'write', 400, 'ExpiredToken'],
    ['ARCHIVED', 'read', 403, 'InvalidObjectState'],
    ['OBJECT_LOCKED', 'remove', 403, 'AccessDenied', 'Access Denied because object protected by object lock.'],
    ['OBJECT_LOCKED', 'write', 400, 'InvalidRequest', 'Object is WORM protected and cannot be overwritten'],
    ['INTERNAL', 'write', 400, 'InvalidRequest', 'a checksum is required for Put requests with Object Lock parameters'],
    ['WRONG_REGION', 'stat', 301, ''],
    ['STORE_FULL', 'write', 507, 'XMinioStorageFull'],
    ['STORE_DENIED', 'write', 400, 'KMS.DisabledException', 'key is disabled'],
    ['CONFIG_INVALID', 'write', 501, 'NotImplemented', 'no KMS here'],
    ['PATH_INVALID', 'write', 400, 'KeyTooLongError'],
    ['SOURCE_CHANGED', 'read', 412, 'PreconditionFailed'],
    ['STORE_EXISTS', 'write', 412, 'PreconditionFailed'],
    ['INTERNAL', 'read', 418, 'Teapot'],
  ]
  for (const [code, verb, status, service, message = ''] of cases) {
    const failure = s3Failure(new Refusal(status, service, message, { 'retry-after': '7' }), verb, 'a', place)
    t.equal(failure.code, code, `${status} ${service}`)
    t.match(failure.message, `cannot ${verb} "a" at s3://b: `)
    t.equal(failure.detail.retryAfterMs, 7000)
  }
  const moved = new Refusal(301, 'PermanentRedirect', '', { 'x-amz-bucket-region': 'ap-south-1' })
  t.match(
    s3Failure(moved, 'read', 'a', place).message,
    /another region \(ap-south-1\), the configured one is eu-west-1/,
  )
  const later = new Refusal(503, '', '', { 'retry-after': new Date(Date.now() + 60_000).toUTCString() })
  t.ok(Number(s3Failure(later, 'read', 'a', place).detail.retryAfterMs) > 50_000)
  for (const [system, code] of [
    ['ENOTFOUND', 'STORE_UNREACHABLE'],
    ['ETIMEDOUT', 'STORE_TIMEOUT'],
    ['CERT_HAS_EXPIRED', 'TLS'],
    ['HPE_INVALID_CONSTANT', 'STORE_UNREACHABLE'],
    ['ESOMETHING', 'INTERNAL'],
  ]) {
    t.equal(s3Failure(Object.assign(new Error('x'), { code: system }), 'list', '', place).code, code)
  }
  const known = new ServiceError('CANCELLED', 'stop')
  t.equal(s3Failure(known, 'read', 'a', place), known)
  const none = Object.assign(new Error('Could not load credentials'), { name: 'CredentialsProviderError' })
  t.equal(s3Failure(none, 'read', 'a', place).code, 'STORE_AUTH')
})

/** Every method of a store fails in one way, and no secret gets into the message. */
async function each(t: Test, config: S3StoreConfig, code: ErrorCode, message: RegExp): Promise<void> {
  const store = await openStore(config)
  const actions: Record<string, () => Promise<unknown>> = {
    list: () => list(store, ''),
    stat: () => store.stat('x'),
    read: () => store.read('x'),
    readSmall: async () => store.readSmall?.('x'),
    write: () => put(store, 'x', 'y'),
    'write in parts': () => store.write('x', large(), { size: 9 << 20 }),
    remove: () => store.remove(['x']),
  }
  for (const [name, action] of Object.entries(actions)) {
    try {
      await action()
      t.fail(`${name} should fail`)
    } catch (error) {
      t.match(error, { code, message }, name)
      t.notMatch((error as Error).message, config.credentials?.secretAccessKey ?? '-')
    }
  }
  await store.close()
}

function large(): Readable {
  return Readable.from(Array.from({ length: 9 }, () => Buffer.alloc(1 << 20)))
}

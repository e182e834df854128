import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openStore } from '../../src/stores/open.js'
import { smallFile } from '../../src/stores/store.js'
import { startMinio } from '../servers/minio.js'
import { assumeRole } from '../servers/minio-role.js'
import { startProxy } from '../servers/proxy.js'
import { list, put } from './contract.js'

// Where no keys are configured: the SDK's chain, which looks into the environment of the process.

t.setTimeout(900_000)
const minio = await startMinio(t)
const { credentials: own, ...config } = await minio.bucket()
for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
process.env.AWS_EC2_METADATA_DISABLED = 'true'

t.test('a profile', async (t) => {
  const text = `[backups]\naws_access_key_id = ${own?.accessKeyId}\naws_secret_access_key = ${own?.secretAccessKey}\n`
  const folder = t.testdir({ credentials: text, config: '' })
  const env = { AWS_SHARED_CREDENTIALS_FILE: `${folder}/credentials`, AWS_CONFIG_FILE: `${folder}/config` }
  Object.assign(process.env, env, { AWS_PROFILE: 'backups' })
  t.teardown(() => {
    for (const name of [...Object.keys(env), 'AWS_PROFILE']) delete process.env[name]
  })
  const store = await openStore(config)
  await put(store, 'x', 'content')
  t.equal((await list(store, '')).length, 1)
  await store.close()
})

t.test('a container: what the service calls expired is asked for again, once', async (t) => {
  let given = 0
  const server = createServer(async (_, answer) => {
    given += 1
    const { accessKeyId, secretAccessKey, sessionToken } = await assumeRole(minio, ['s3:*'])
    const Expiration = new Date(Date.now() + 3_600_000).toISOString()
    const found = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration }
    answer.setHeader('content-type', 'application/json').end(JSON.stringify(found))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  t.teardown(() => {
    delete process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI
    server.close()
  })
  const proxy = await startProxy(t, minio.port)
  const store = await openStore({ ...config, endpoint: proxy.url })
  await put(store, 'a', 'x')
  t.equal(given, 1)
  const body = '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
  const actions: [string, () => Promise<unknown>][] = [
    ['PUT', () => put(store, 'b', 'x')],
    ['GET', async () => store.readSmall?.('b')],
    ['POST', () => store.write('large', Readable.from([Buffer.alloc(smallFile + 1)]), { size: smallFile + 1 })],
    ['list-type', () => list(store, '')],
  ]
  for (const [of, action] of actions) {
    const before = given
    proxy.plan.refuse = { of, status: 400, body }
    const renewed = action()
    // Only the first request: the credentials that are asked for then are good.
    while (given === before) await sleep(1)
    delete proxy.plan.refuse
    await renewed
    t.equal(given, before + 1, of)
  }
  const before = given
  proxy.plan.refuse = { of: 'PUT', status: 400, body }
  await t.rejects(put(store, 'c', 'x'), { code: 'STORE_AUTH', message: /expired/ })
  t.equal(given, before + 1, 'those that are refused again are not asked for a third time')
  await store.close()
})

/** A server of this machine that answers by path. */
async function serve(t: Test, answers: Record<string, () => unknown>): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer(async ({ method, url = '' }, answer) => {
    asked.push(`${method} ${url}`)
    const found = await answers[`${method} ${url}`]?.()
    if (found === undefined) answer.statusCode = 404
    answer.end(typeof found === 'string' ? found : JSON.stringify(found ?? {}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

function setEnv(t: Test, env: Record<string, string>): void {
  Object.assign(process.env, env)
  t.teardown(() => {
    for (const name of Object.keys(env)) delete process.env[name]
  })
}

t.test("an instance's role: its metadata service", async (t) => {
  const folder = '/latest/meta-data/iam/security-credentials/'
  const { url, asked } = await serve(t, {
    'PUT /latest/api/token': () => 'a-session-of-the-metadata-service',
    [`GET ${folder}`]: () => 'backup-role',
    [`GET ${folder}backup-role`]: async () => {
      const { accessKeyId, secretAccessKey, sessionToken } = await assumeRole(minio, ['s3:*'])
      const Expiration = new Date(Date.now() + 3_600_000).toISOString()
      const found = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration }
      return { Code: 'Success', Type: 'AWS-HMAC', ...found }
    },
  })
  delete process.env.AWS_EC2_METADATA_DISABLED
  setEnv(t, { AWS_EC2_METADATA_SERVICE_ENDPOINT: url })
  t.teardown(() => Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true' }))
  const store = await openStore(config)
  await put(store, 'by-an-instance', 'content')
  t.ok((await list(store, '')).some(({ path }) => path === 'by-an-instance'))
  t.same(asked, ['PUT /latest/api/token', `GET ${folder}`, `GET ${folder}backup-role`])
  await store.close()
})

t.test('a web identity: a token in a file, and the role that STS gives for it', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const known = { kid: 'one', alg: 'RS256', use: 'sig' }
  const issuer = await serve(t, {
    'GET /.well-known/openid-configuration': () => ({
      issuer: issuer.url,
      jwks_uri: `${issuer.url}/keys`,
      authorization_endpoint: `${issuer.url}/none`,
      token_endpoint: `${issuer.url}/none`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }),
    'GET /keys': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), ...known }] }),
  })
  const sts = await startMinio(t, {
    env: {
      MINIO_IDENTITY_OPENID_CONFIG_URL: `${issuer.url}/.well-known/openid-configuration`,
      MINIO_IDENTITY_OPENID_CLIENT_ID: 'arc-backup',
      MINIO_IDENTITY_OPENID_ROLE_POLICY: 'readwrite',
    },
  })
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: issuer.url, sub: 'pod', aud: 'arc-backup', iat: now, exp: now + 3600 }
  const signed = `${part({ typ: 'JWT', ...known })}.${part(claims)}`
  const token = `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
  const file = `${t.testdir({ token })}/token`
  const role = createHash('sha1').update('arc-backup').digest('base64url')
  const arn = `arn:minio:iam:::role/${role}`
  setEnv(t, { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: arn, AWS_ENDPOINT_URL_STS: sts.endpoint })
  // MinIO says that it is ready before it has loaded its policies, and gives no role until then.
  const asked = { Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: arn, WebIdentityToken: token }
  const gives = async (): Promise<boolean> =>
    (await fetch(sts.endpoint, { method: 'POST', body: new URLSearchParams(asked) })).ok
  for (let tries = 0; tries < 300 && !(await gives()); tries += 1) await sleep(100)
  const { credentials: _keys, ...place } = await sts.bucket()
  const store = await openStore(place)
  await put(store, 'by-a-pod', 'content')
  t.equal((await list(store, '')).length, 1)
  await store.close()
})

t.test('none at all', async (t) => {
  const store = await openStore(config)
  await t.rejects(list(store, ''), { code: 'STORE_AUTH', message: /no credentials were found/ })
  await store.close()
})

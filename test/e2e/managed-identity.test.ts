import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { Authority } from '../support/certificates.js'
import { copyFixture } from '../support/fixture.js'
import { containerPlace } from '../support/place.js'
import { hashTree } from '../support/tree.js'
import { end, serve } from './served.js'

t.setTimeout(300_000)

/** How long a token holds (ms). */
const lifetime = 4000

/** What a machine of Azure's App Service has: it gives tokens to who knows its header. */
async function startIdentity(t: Test): Promise<{ env: NodeJS.ProcessEnv; given: string[] }> {
  const secret = 'the-header-of-this-machine'
  const given: string[] = []
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://127.0.0.1')
    const resource = searchParams.get('resource') ?? ''
    if (request.headers['x-identity-header'] !== secret || resource !== 'https://storage.azure.com') {
      response.writeHead(401).end()
      return
    }
    const now = Date.now()
    const [from, to] = [Math.floor(now / 1000) - 60, Math.ceil((now + lifetime) / 1000)]
    const claims = {
      aud: resource,
      iss: 'https://sts.windows.net/0/',
      iat: from,
      nbf: from,
      exp: to,
      sub: given.length,
    }
    const token = [{ alg: 'none', typ: 'JWT' }, claims].map((part) => base64url(JSON.stringify(part)))
    const access_token = `${token.join('.')}.${base64url('none')}`
    given.push(access_token)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ access_token, expires_on: String(to), resource, token_type: 'Bearer' }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { env: { IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`, IDENTITY_HEADER: secret }, given }
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

t.test(
  'a target that is reached with the identity of the machine, whose tokens end between two operations',
  async (t) => {
    const folder = t.testdir({})
    copyFixture(folder)
    const authority = new Authority(`${folder}/tls`)
    // Without TLS it is as another client sees it.
    const plain = await Azurite.start(t, `${folder}/azurite`)
    const container = await plain.container('backups')
    await plain.stop()
    const azurite = await Azurite.start(t, `${folder}/azurite`, authority.sign('azurite'))
    const identity = await startIdentity(t)
    const target = [
      ...['[backup.targets.there]', 'type = "azure"', 'azure_container = "backups"'],
      ...[`azure_account_name = "${azurite.account}"`, `azure_endpoint = "${azurite.endpoint}"`],
      'azure_use_managed_identity = true',
    ]
    writeFileSync(`${folder}/arc.toml`, `${readFileSync(`${folder}/arc.toml`, 'utf8')}\n${target.join('\n')}\n`)
    writeFileSync(`${folder}/data/arc/metrics/cpu/large.parquet`, Buffer.alloc(20 << 20, 'large'))
    const before = hashTree(`${folder}/data/arc`)
    const env = { ARC_BACKUP_DEFAULT_TARGET: 'there', NODE_EXTRA_CA_CERTS: authority.certFile }

    const nobody = await serve(t, folder, { ...env, ...identity.env, IDENTITY_HEADER: 'of-another-machine' })
    await nobody.call('POST', '')
    t.match(await nobody.settled(), { outcome: 'failed', error_code: 'STORE_AUTH', error: /identity/ })
    await end(nobody, 'SIGTERM')

    const served = await serve(t, folder, { ...env, ...identity.env })
    const { backup_id } = await served.call('POST', '')
    t.match(await served.settled(), { outcome: 'completed', skipped_files: 0 })
    const first = identity.given.length
    await sleep(lifetime + 1000)
    rmSync(`${folder}/data/arc/metrics`, { recursive: true })
    await served.call('POST', '/restore', { backup_id, confirm: true, restore_metadata: false })
    const restored = await served.settled()
    t.match(restored, { outcome: 'completed', verified: true }, String(restored.error))
    t.same(hashTree(`${folder}/data/arc`), before)
    t.ok(identity.given.length > first, 'with another token')
    const { stdout } = await end(served, 'SIGTERM')
    for (const token of identity.given) t.notOk(stdout.includes(token), 'no token in the log')

    await azurite.stop()
    await plain.start()
    const kept = await containerPlace(container).tree()
    for (const [path, hash] of Object.entries(before)) {
      if (path.endsWith('.parquet')) t.equal(kept[`${backup_id}/data/${path}`], hash, path)
    }
  },
)

import { execFileSync, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { root } from '../support/root.js'
import { startTestService } from '../support/service.js'
import { findLinter } from './linters.js'

t.setTimeout(300_000)
const file = `${root}deploy/compose.yaml`

interface Service {
  readonly environment?: Record<string, string>
  readonly volumes?: readonly string[]
  readonly depends_on?: Record<string, unknown>
}

interface Compose {
  readonly services: Record<string, Service>
  readonly volumes: Record<string, unknown>
}

/** As compose reads it, with these variables. */
function compose(variables: Record<string, string>): Compose {
  const text = readFileSync(file, 'utf8').replaceAll(/\$\{(\w+):([?-])([^}]*)\}/g, (_, name, kind, rest) => {
    const value = variables[name] ?? (kind === '-' ? rest : undefined)
    if (value === undefined) throw new Error(`${name} is missing: ${rest}`)
    return value
  })
  return parse(text) as Compose
}

/** What sample.env asks for. */
const filled = { ARC_TOKEN: 't'.repeat(48), MINIO_PASSWORD: 'p'.repeat(32), AZURITE_KEY: 'a2V5', GRAFANA_PASSWORD: 'x' }

t.test('compose.yaml is as compose wants it, and what it names is there', async (t) => {
  const lint = spawnSync(await findLinter('check-jsonschema'), ['--builtin-schema', 'vendor.compose-spec', file])
  t.equal(lint.status, 0, `${lint.stdout}${lint.stderr}`)
  const sample = readFileSync(`${dirname(file)}/sample.env`, 'utf8')
  t.same([...sample.matchAll(/^(\w+)=$/gm)].map(([, name]) => name).sort(), Object.keys(filled).sort())
  const { services, volumes } = compose(filled)
  for (const [name, { volumes: mounts = [], depends_on = {} }] of Object.entries(services)) {
    for (const mount of mounts) {
      const from = mount.split(':')[0] ?? ''
      const isThere = from.startsWith('.') ? existsSync(resolve(dirname(file), from)) : from in volumes
      t.ok(isThere, `${name}: ${mount}`)
    }
    for (const other of Object.keys(depends_on)) t.ok(other in services, `${name} waits for ${other}`)
  }
  const prometheus = readFileSync(`${dirname(file)}/prometheus/prometheus.yml`, 'utf8')
  for (const [, host = ''] of prometheus.matchAll(/'([a-z-]+):\d+'/g)) t.ok(host in services, `scraped: ${host}`)
  const source = readFileSync(`${dirname(file)}/grafana/provisioning/datasources/prometheus.yaml`, 'utf8')
  t.match(source, 'http://prometheus:9090')
})

t.test('its stores are made, and taken as targets by a service with its environment', async (t) => {
  const [minio, azurite] = [await startMinio(t), await Azurite.start(t)]
  const { services } = compose(filled)
  const here = (environment: Record<string, string> = {}): Record<string, string> =>
    Object.fromEntries(
      Object.entries(environment).map(([name, value]) => {
        if (value === 'http://minio:9000') return [name, minio.endpoint]
        if (value === 'arc-backup') return [name, minio.credentials.accessKeyId]
        if (value === filled.MINIO_PASSWORD) return [name, minio.credentials.secretAccessKey]
        if (value.includes('BlobEndpoint=')) return [name, azurite.connectionString]
        return [name, value === 'arc-backups' ? store : value]
      }),
    )
  const store = `compose-${randomUUID()}`
  const script = readFileSync(`${dirname(file)}/make-stores.mjs`, 'utf8')
  for (const time of ['first', 'second']) {
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      env: { PATH: process.env.PATH, ...here(services.stores?.environment) },
      encoding: 'utf8',
    })
    t.equal(said, `bucket ${store} is there\ncontainer ${store} is there\n`, time)
  }
  const service = await startTestService(t, { env: here(services['arc-backup']?.environment) })
  for (const target of ['minio', 'azurite', 'local'])
    t.match(await service.run('', target === 'local' ? {} : { target }), { outcome: 'completed', target })
})
